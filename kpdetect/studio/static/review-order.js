// The order in which frames are shown, and the frames in which keypoints jump. This module does not change the page.

// The distance by which keypoints move from the previous frame, as a share of the image's longer side. The largest of all keypoints counts.
export function steps(points, sizes) {
  return points.map((now, row) => {
    if (!row) return 0;
    const side = Math.max(...sizes[row]);
    return Math.max(...now.map(([x, y], place) => Math.hypot(x - points[row - 1][place][0], y - points[row - 1][place][1]) / side));
  });
}

// Rows whose distance is far above the median: by more than 6 scaled median absolute deviations, and above 5 % of the side.
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

// Of a long series, returns the smallest and largest value of each bin, so that no peak is lost.
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
