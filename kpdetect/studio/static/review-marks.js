// How the Review page marks corrected keypoints, also those that were corrected on the predictions of other weights.

// Whether the number of a corrected keypoint is one of these weights. Unknown weights count as these.
export const isOf = (point, model) => ["", model].includes(point.model);

export function markOf({ by, other }) {
  if (other) return " ?";
  return { moved: " ✎", kept: " ✓" }[by] || "";
}

export function titleOf({ by, other, sure }) {
  if (other) return "corrected on other weights";
  return by ? { moved: "moved by hand", kept: "checked" }[by] : `confidence ${Math.round(sure * 100)} %`;
}

// Describes all keypoints of a picture: { by, other }.
export function stateOf(points) {
  const count = (chosen) => points.filter(chosen).length;
  const others = count(({ other }) => other);
  const known = count(({ by }) => by);
  const hidden = count(({ by }) => by === "hidden");
  const state = others ? "" : known === points.length ? "Checked." : known ? "Partly corrected." : "As the detector predicted.";
  const confirm = others ? `${others} corrected on other weights: are they at the right places for these numbers? Then press “All right, next”; if not, drag or reset them.` : "";
  return `${state}${confirm}${hidden ? ` ${hidden} not visible.` : ""}`;
}
