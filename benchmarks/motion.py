"""Keypoint motion: where each keypoint lies in a set of images, and how far it moves between them."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.charts import STYLES
from benchmarks.figures import new_figure, png_uri

MAX_DOTS = 400
"""Images whose keypoints are drawn as dots; the numbers use all."""
SEEN = (0.002, 0.998)
"""Quantiles of the places that the chart reaches to."""
MARGIN = np.array([[-0.02], [0.02]])
"""Around them; keypoints that stay in one place have no extent of their own."""
NUMBER = {"facecolor": "white", "edgecolor": "black", "linewidth": 0.5, "alpha": 0.85, "pad": 1.0}


def motion_section(keypoints_px: NDArray[np.floating], sizes: NDArray[np.integer], where: str) -> dict[str, Any]:
    """How keypoints [images, K, 2] in pixels of images of `sizes` [images, 2] (height, width) move."""
    shares = (np.asarray(keypoints_px, np.float64) + 0.5) / np.asarray(sizes, np.float64)[:, None, ::-1]
    motion = keypoint_motion(shares)
    least, most = int(motion.argmin()), int(motion.argmax())
    return {
        "title": "Keypoint motion",
        "text": f"Where each keypoint lies in {where}, and how far it moves between them (standard deviation in % of the "
        f"side): keypoint {least} the least, {motion[least]:.1f} %, keypoint {most} the most, {motion[most]:.1f} %. A keypoint "
        "that does not move looks at no image.",
        "pictures": [motion_chart(shares)],
    }


def keypoint_motion(keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each keypoint [images, keypoints, 2] (shares of the image's width and height) moves over the images: root of the
    summed variances of x and y, in percent of the side. 0 is a keypoint that looks at no image."""
    return np.asarray(100 * np.sqrt(np.asarray(keypoints, np.float64).var(axis=0).sum(axis=-1)), np.float64)


def motion_chart(keypoints: NDArray[np.floating]) -> str:
    """Where each keypoint [images, keypoints, 2] (shares of the image) goes, and how far."""
    motion, means = keypoint_motion(keypoints), keypoints.mean(axis=0)
    rows = np.unique(np.linspace(0, len(keypoints) - 1, min(MAX_DOTS, len(keypoints))).round().astype(int))
    figure = new_figure(width=10, height=4.6)
    axes = figure.add_subplot(1, 2, 1)
    for number, (mean, (_, _, mark)) in enumerate(zip(means, cycle(STYLES), strict=False)):
        x, y = keypoints[rows, number].T
        axes.scatter(x, y, s=6, c=str(0.4 + 0.2 * (number % 3)), marker=mark, linewidths=0.5, alpha=0.4)
        axes.annotate(str(number), mean, fontsize=9, fontweight="bold", ha="center", va="center", bbox=NUMBER, zorder=3)
    (left, top), (right, bottom) = np.quantile(keypoints, SEEN, axis=(0, 1)) + MARGIN
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="share of the width", ylabel="share of the height")
    bars = figure.add_subplot(1, 2, 2)
    bars.bar(np.arange(len(motion)), motion, color="0.7", edgecolor="0.3")
    top_of_axis = max(1.1 * float(motion.max()), 0.1)
    bars.set(xlabel="keypoint", ylabel="motion, % of the side", xticks=np.arange(len(motion)), ylim=(0, top_of_axis))
    for each in (axes, bars):
        each.tick_params(labelsize=7)
    return png_uri(figure)
