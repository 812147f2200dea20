// The edits of a sample, as `kpdetect edit` takes them. This module does not change the page.
export const UNCHANGED = {
  pose_from: null,
  photo: null,
  scale: 1,
  rotate: 0,
  moves: [],
  local: true,
  looks: [],
  background_from: null,
  add: [],
  remove: [],
  mix: 1,
};

const round = (value) => Math.round(value * 100) / 100;

export function isUnchanged(edits) {
  return JSON.stringify({ ...edits, local: true, mix: 1 }) === JSON.stringify(UNCHANGED);
}

export function moveOf(edits, keypoint) {
  return edits.moves.find((move) => move.keypoints[0] === keypoint)?.by ?? [0, 0];
}

// Every keypoint has at most one move. Dragging it again replaces the move.
export function withMoves(edits, moves) {
  const kept = edits.moves.filter((move) => !moves.some(([keypoint]) => move.keypoints[0] === keypoint));
  const added = moves.map(([keypoint, x, y]) => ({ keypoints: [keypoint], by: [round(x), round(y)] })).filter((move) => move.by[0] || move.by[1]);
  return { ...edits, moves: [...kept, ...added].sort((one, other) => one.keypoints[0] - other.keypoints[0]) };
}

export function withCopy(edits, index, x, y) {
  return { ...edits, add: edits.add.map((copy, place) => (place === index ? { ...copy, by: [round(x), round(y)] } : copy)) };
}

// Takes the appearance of keypoints from a sample. A keypoint takes it from one sample only.
export function withLook(edits, sample, keypoints) {
  const rest = withoutLooks(edits, keypoints).looks;
  const same = rest.find((look) => look.sample === sample);
  const others = rest.filter((look) => look.sample !== sample);
  const all = [...new Set([...(same?.keypoints ?? []), ...keypoints])].sort((one, other) => one - other);
  return { ...edits, looks: [...others, { sample, keypoints: all }] };
}

export function withoutLooks(edits, keypoints) {
  const looks = edits.looks.map((look) => ({ ...look, keypoints: look.keypoints.filter((number) => !keypoints.includes(number)) }));
  return { ...edits, looks: looks.filter((look) => look.keypoints.length) };
}

// A removed keypoint is not moved or copied, and its appearance is not changed.
export function withRemoved(edits, keypoints) {
  const kept = (list) => list.filter((each) => !keypoints.includes(each.keypoints[0]));
  const remove = [...new Set([...edits.remove, ...keypoints])].sort((one, other) => one - other);
  return { ...withoutLooks(edits, keypoints), moves: kept(edits.moves), add: kept(edits.add), remove };
}

export function withBack(edits, keypoints) {
  return { ...edits, remove: edits.remove.filter((number) => !keypoints.includes(number)) };
}

// Keypoints in words: "left eye and nose", "parts 0, 3 and 9", "all parts".
export function named(keypoints, names, all) {
  if (keypoints.length === all) return "all parts";
  if (keypoints.length > 3) return `${keypoints.length} parts`;
  const sorted = [...keypoints].sort((one, other) => one - other).map((number) => names[number]);
  const nameless = sorted.every((name) => /^keypoint\d+$/.test(name));
  const words = sorted.map((name) => name.replace(/^keypoint(?=\d+$)/, nameless ? "" : "part "));
  const list = words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
  return nameless ? `${words.length > 1 ? "parts" : "part"} ${list}` : list;
}

// A text with a capital first letter.
export function capital(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}`;
}

// The keypoints of the edited sample whose appearance was exchanged with the partner.
export function exchangedParts({ edits, partner }) {
  return edits.looks.filter((look) => look.sample === partner).flatMap((look) => look.keypoints);
}

// Says of which keypoints a changed appearance is hardly visible, and what to do; nothing if there are none.
export function faintText(keypoints, names) {
  if (!keypoints.length) return "";
  if (keypoints.length === names.length) return "All parts together hardly change this picture: the two samples look alike. Choose another sample.";
  const text = capital(named(keypoints, names, names.length));
  const [verb, whose, them] = keypoints.length > 1 ? ["change", "their", "them"] : ["changes", "its", "it"];
  const advice = `Choose ${whose} neighbours too: drag a frame around ${them}, or press “Add neighbours”`;
  return `${text} hardly ${verb} this picture. ${advice}. Or choose another sample: these two look alike there.`;
}

// Lists every change in words, each with the edits that remain without it.
export function changes(edits, names) {
  const all = names.length;
  const list = [];
  if (edits.pose_from !== null) list.push([`Pose of sample ${edits.pose_from}`, { ...edits, pose_from: null }]);
  if (edits.photo !== null) list.push(["Pose of the photo", { ...edits, photo: null }]);
  if (edits.scale !== 1) list.push([`Scaled by ${edits.scale}`, { ...edits, scale: 1 }]);
  if (edits.rotate !== 0) list.push([`Rotated by ${edits.rotate}°`, { ...edits, rotate: 0 }]);
  for (const move of edits.moves) {
    const text = `Moved ${named(move.keypoints, names, all)} by ${move.by[0]}, ${move.by[1]} px`;
    list.push([text, { ...edits, moves: edits.moves.filter((each) => each !== move) }]);
  }
  for (const look of edits.looks) {
    const text = `Appearance of ${named(look.keypoints, names, all)} from sample ${look.sample}`;
    list.push([text, { ...edits, looks: edits.looks.filter((each) => each !== look) }]);
  }
  if (edits.background_from !== null) list.push([`Background of sample ${edits.background_from}`, { ...edits, background_from: null }]);
  for (const copy of edits.add) {
    const text = `Another ${named(copy.keypoints, names, all)}`;
    list.push([text, { ...edits, add: edits.add.filter((each) => each !== copy) }]);
  }
  for (const number of edits.remove) list.push([`Removed ${named([number], names, all)}`, withBack(edits, [number])]);
  return list;
}
