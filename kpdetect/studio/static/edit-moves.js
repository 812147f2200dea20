// Where dragged parts go: edits from edits. Nothing here touches the page.
import * as changed from "./edit-state.js";

export function numberOf(id) {
  return Number(id.replace(/^copy-\d+-/, ""));
}

// The edits in which the part `id` is `step` pixels farther, and with it all chosen ones if it is one of them.
export function moved(edits, id, step, { points, chosen, size }) {
  const copy = /^copy-(\d+)-/.exec(id);
  if (copy) {
    const index = Number(copy[1]);
    const [x, y] = edits.add[index].by;
    return changed.withCopy(edits, index, x + step[0], y + step[1]);
  }
  const number = numberOf(id);
  const together = chosen.has(number) ? [...chosen].filter((each) => !edits.remove.includes(each)) : [number];
  const [right, down] = within(step, points.filter((point) => !point.copy && together.includes(point.number)), size);
  const moves = together.map((each) => {
    const [x, y] = changed.moveOf(edits, each);
    return [each, x + right, y + down];
  });
  return changed.withMoves(edits, moves);
}

// A step that leaves no point outside of the picture.
function within([x, y], points, [height, width]) {
  const limit = (step, places, whole) => Math.min(Math.max(step, -0.5 - Math.min(...places)), whole - 0.5 - Math.max(...places));
  return [limit(x, points.map((point) => point.x), width), limit(y, points.map((point) => point.y), height)];
}

// The point nearest to a place, no farther than a share of the longer side; null where there is none.
export function nearest(points, [x, y], size, share = 0.15) {
  const far = (point) => Math.hypot(point.x - x, point.y - y);
  const best = points.filter((point) => !point.gone).reduce((one, other) => (one && far(one) <= far(other) ? one : other), null);
  return best && far(best) <= share * Math.max(...size) ? best : null;
}
