// Computes new edits when parts are dragged. This module does not change the page.
import * as changed from "./edit-state.js";

export function numberOf(id) {
  return Number(id.replace(/^copy-\d+-/, ""));
}

// Returns the edits after the part `id` has moved by `step` pixels. If it is chosen, all chosen parts move with it.
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

// Limits a step so that no point leaves the picture.
function within([x, y], points, [height, width]) {
  const limit = (step, places, whole) => Math.min(Math.max(step, -0.5 - Math.min(...places)), whole - 0.5 - Math.max(...places));
  return [limit(x, points.map((point) => point.x), width), limit(y, points.map((point) => point.y), height)];
}

// Returns the points inside a frame; if there are none, those within a share of the longer side from it.
export function framed(points, [[left, top], [right, bottom]], size, share = 0.1) {
  const outside = (value, one, other) => Math.max(Math.min(one, other) - value, value - Math.max(one, other), 0);
  const far = (point) => Math.hypot(outside(point.x, left, right), outside(point.y, top, bottom));
  const within = (most) => points.filter((point) => !point.gone && far(point) <= most);
  const inside = within(0);
  return inside.length ? inside : within(share * Math.max(...size));
}

// Returns the chosen points and those within a share of the longer side from any of them; if there are none, the nearest one.
export function neighbours(points, chosen, size, share = 0.15) {
  const there = points.filter((point) => !point.gone && !point.copy);
  const far = (point) => Math.min(...there.filter((other) => chosen.has(other.number)).map((other) => Math.hypot(point.x - other.x, point.y - other.y)));
  const others = there.filter((point) => !chosen.has(point.number));
  const most = Math.max(share * Math.max(...size), Math.min(...others.map(far)));
  return there.filter((point) => far(point) <= most);
}

// Returns the point nearest to a place; null if none is within a share of the longer side.
export function nearest(points, [x, y], size, share = 0.15) {
  const far = (point) => Math.hypot(point.x - x, point.y - y);
  const best = points.filter((point) => !point.gone).reduce((one, other) => (one && far(one) <= far(other) ? one : other), null);
  return best && far(best) <= share * Math.max(...size) ? best : null;
}
