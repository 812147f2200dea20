"""A perfect detector of coloured dots, and pictures and videos of them."""

import cv2
import numpy as np
from torch import nn

from kpdetect.detector.network import Detector
from kpdetect.inference.predictor import Predictor
from tests.builders.descriptions import detector_description
from tests.builders.runtimes import CPU


class Brightness(nn.Module):
    """The logits are the red and the green channel."""

    def forward(self, images):
        return [30 * images[:, :2]]


def dots(height, width, *places_px):
    """Black, with a soft red and a soft green dot at the two places (x, y)."""
    y, x = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3))
    for channel, (x_px, y_px) in enumerate(places_px):
        image[..., channel] = 255 * np.exp(-((x - x_px) ** 2 + (y - y_px) ** 2) / (2 * 4.0**2))
    return image.round().astype(np.uint8)


def perfect(crop="pad", side=128, labels=None):
    """A detector that finds the dots."""
    description = detector_description(keypoints=2, pair_size=[side, side], crop=crop)
    return Predictor(Detector(Brightness(), nn.Identity(), side), description, "0" * 16, CPU, labels)


def path_px(frame):
    """Where the dots of a frame of `write_video` are."""
    return np.array([[20.0 + 2 * frame, 70.0], [60.0, 20.0 + frame]])


def write_video(path, frames, size=(102, 122), code="MJPG", rate=25.0):
    """A video of moving dots; OpenCV cuts odd sides off."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), rate, (size[1], size[0]))
    for frame in range(frames):
        writer.write(np.ascontiguousarray(dots(*size, *path_px(frame))[..., ::-1]))
    writer.release()
