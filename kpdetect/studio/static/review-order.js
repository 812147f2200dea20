// In which order frames are shown, and where keypoints jump. Nothing here touches the page.

// How far each keypoint moves from the frame before, as a share of the image's longer side; the most of all keypoints.
export function steps(points, sizes) {
  return points.map((now, row) => {
    if (!row) return 0;
    const side = Math.max(...sizes[row]);
    return Math.max(...now.map(([x, y], place) => Math.hypot(x - points[row - 1][place][0], y - points[row - 1][place][1]) / side));
  });
}

// Rows where the step is far above the usual one: beyond 6 median absolute deviations, and 5 % of the side.
export function jumps(moved) {
  const sorted = (values) => [...values].sort((one, other) => one - other);
  const median = (values) => sorted(values)[Math.floor(values.length / 2)] ?? 0;
  const middle = median(moved.slice(1));
  const spread = median(moved.slice(1).map((step) => Math.abs(step - middle)));
  return moved.flatMap((step, row) => (row && step > Math.max(middle + 6 * 1.4826 * spread, 0.05) ? [row] : []));
}

export function orderOf(kind, confidence, moved) {
  const rows = confidence.map((_, row) => row);
  const mean = confidence.map((row) => row.reduce((sum, value) => sum + value, 0) / row.length);
  if (kind === "unsure") return rows.sort((one, other) => mean[one] - mean[other]);
  if (kind === "jump") return rows.sort((one, other) => moved[other] - moved[one]);
  return rows;
}

// Of long series the least and most of each bin, so that no peak is lost.
export function thinned(points, bins = 400) {
  if (points.length <= 2 * bins) return points;
  const size = points.length / bins;
  return Array.from({ length: bins }, (_, bin) => {
    const part = points.slice(Math.floor(bin * size), Math.floor((bin + 1) * size));
    const low = part.reduce((best, point) => (point[1] < best[1] ? point : best));
    const high = part.reduce((best, point) => (point[1] > best[1] ? point : best));
    return low[0] <= high[0] ? [low, high] : [high, low];
  }).flat();
}
