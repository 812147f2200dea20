"""Compute the places of a scene's outlines and keypoints.

There are three coordinate frames.
    face   (x, y) on the head seen from the front, in head units
    head   (x, y) after yaw and pitch, in head units
    frame  pixels (x, y) of the square image, after roll, scaling and translation; integers are pixel centres
The parts of the face lie on an ellipsoid with the half-axes head_width, 1 and head_width. So yaw and pitch move the parts, but
not the outline of the head.
"""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from kpdetect.toy.scene import Occluder, Scene

KEYPOINT_NAMES: tuple[str, ...] = (
    "left_eye",
    "right_eye",
    "nose",
    "mouth_left",
    "mouth_right",
    "left_brow",
    "right_brow",
    "hairline",
    "chin",
    "left_cheek",
    "right_cheek",
)
"""Names of the keypoints, in the order of all arrays. Left is the side of smaller x in an upright face."""
CHEEK_HEIGHT = 0.25
NOSE_LIFT = 1.12
"""Distance of the nose's tip from the head's centre, as a multiple of the distance of the head's surface."""
Points = NDArray[np.float64]


class Geometry:
    """The maps between the coordinate frames of a scene.

    Args:
        scene: the scene.
        size: side of the image in pixels.
    """

    def __init__(self, scene: Scene, size: int) -> None:
        pose = scene.pose
        self.parts = scene.parts
        self.size = size
        yaw, pitch, roll = radians(pose.yaw), radians(pose.pitch), radians(pose.roll)
        self.turn = np.array(  # maps (x, y, z) on the unit sphere, z towards the viewer, to (x, y): yaw, then pitch
            [
                [cos(yaw), 0.0, sin(yaw)],
                [-sin(yaw) * sin(pitch), cos(pitch), cos(yaw) * sin(pitch)],
            ]
        )
        radius_px = pose.diameter / 2 * size
        self.linear = radius_px * np.array([[cos(roll), -sin(roll)], [sin(roll), cos(roll)]])
        self.centre_px = np.array([pose.x, pose.y]) * size - 0.5

    def face_to_head(self, points: Points, lift: float = 1.0) -> Points:
        """Map points [..., 2] of the face frame to the head frame, by yaw and pitch.

        `lift` is their distance from the head's centre; 1 is its surface.
        """
        width = np.array([self.parts.head_width, 1.0])
        plane = points / width
        depth = np.sqrt(np.clip(1.0 - (plane**2).sum(axis=-1, keepdims=True), 0.0, None))
        return np.asarray(lift * np.concatenate([plane, depth], axis=-1) @ self.turn.T * width)

    def head_to_frame(self, points: Points) -> Points:
        """Map points [..., 2] of the head frame to pixels [..., 2]."""
        return np.asarray(points @ self.linear.T + self.centre_px)

    def face_to_frame(self, points: Points, lift: float = 1.0) -> Points:
        """Map points [..., 2] of the face frame to pixels [..., 2]. See `face_to_head` for `lift`."""
        return self.head_to_frame(self.face_to_head(points, lift))

    def frame_to_head(self, points_px: Points) -> Points:
        """Map pixels [..., 2] to points [..., 2] of the head frame."""
        return np.asarray(np.linalg.solve(self.linear, (points_px - self.centre_px).T).T)

    def half_width(self, heights: Points) -> Points:
        """Compute half the width of the head's outline at `heights` (y in the head frame, -1 to 1)."""
        narrowing = 1.0 - self.parts.jaw * np.clip(heights, 0.0, 1.0) ** 2
        return np.asarray(self.parts.head_width * np.sqrt(1.0 - heights**2) * narrowing)


def eye_centres(scene: Scene) -> Points:
    """Compute the centres of the left and the right eye, [2, 2] in the face frame."""
    parts = scene.parts
    return np.array([[-parts.eye_spacing, -parts.eye_height], [parts.eye_spacing, -parts.eye_height]])


def brow_centres(scene: Scene) -> Points:
    """Compute the centres of the left and the right brow, [2, 2] in the face frame.

    Brows never touch an eye, even if it is wide open.
    """
    parts = scene.parts
    middle = -parts.eye_height - 0.30 - parts.brow_raise
    return np.array(
        [
            [-parts.eye_spacing, middle + parts.brow_asymmetry],
            [parts.eye_spacing, middle - parts.brow_asymmetry],
        ]
    )


def nose_tip(scene: Scene) -> Points:
    """Compute the tip of the nose, [2] in the face frame. `NOSE_LIFT` is its distance from the head's centre."""
    return np.array([0.0, scene.parts.nose_length - scene.parts.eye_height + 0.12])


def mouth_corners(scene: Scene) -> Points:
    """Compute the left and the right corner of the mouth, [2, 2] in the face frame."""
    parts = scene.parts
    height = parts.mouth_height - parts.smile
    return np.array([[parts.mouth_shift - parts.mouth_width, height], [parts.mouth_shift + parts.mouth_width, height]])


def hairline(scene: Scene, positions: Points) -> Points:
    """Compute points [N, 2] on the hairline at the x `positions` [N], in the face frame."""
    parts = scene.parts
    heights = -parts.hairline + parts.parting * positions + 0.30 * positions**2
    return np.stack([positions, heights], axis=-1)


def keypoints_px(scene: Scene, size: int) -> Points:
    """Compute the exact keypoints [P, 2] in pixels (x, y) of an image of side `size`, in the order of `KEYPOINT_NAMES`."""
    geometry = Geometry(scene, size)
    on_face = np.concatenate([eye_centres(scene), mouth_corners(scene), brow_centres(scene), hairline(scene, np.zeros(1))])
    cheek = float(geometry.half_width(np.array(CHEEK_HEIGHT)))
    on_outline = np.array([[0.0, 1.0], [-cheek, CHEEK_HEIGHT], [cheek, CHEEK_HEIGHT]])
    turned = geometry.face_to_head(on_face)
    nose = geometry.face_to_head(nose_tip(scene), NOSE_LIFT)
    return geometry.head_to_frame(np.concatenate([turned[:2], nose[None], turned[2:], on_outline]))


def visible(scene: Scene, size: int) -> NDArray[np.bool_]:
    """Tell which keypoints [P] are inside the image and not behind the occluder."""
    points_px = keypoints_px(scene, size)
    inside = np.asarray(np.all((points_px >= -0.5) & (points_px <= size - 0.5), axis=-1), dtype=bool)
    if scene.occluder is None:
        return inside
    return np.asarray(inside & ~_covered(scene.occluder, Geometry(scene, size).frame_to_head(points_px)))


def _covered(occluder: Occluder, points: Points) -> NDArray[np.bool_]:
    offset = points - np.array([occluder.x, occluder.y])
    if occluder.kind == "disc":
        return np.asarray(np.hypot(offset[:, 0], offset[:, 1]) <= occluder.radius)
    along, across = (offset @ bar_axes(occluder).T).T
    half_length, half_thickness = bar_extent(occluder)
    return np.asarray((np.abs(along) <= half_length) & (np.abs(across) <= half_thickness))


def bar_axes(occluder: Occluder) -> Points:
    """Return the unit vectors [2, 2] along and across a bar, in the head frame."""
    angle = radians(occluder.angle)
    return np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])


def bar_extent(occluder: Occluder) -> tuple[float, float]:
    """Return half the length and half the thickness of a bar, in head units."""
    return 3.0 * occluder.radius, 0.6 * occluder.radius
