"""Protocols on birds, people, flies and drawings; `benchmarks.protocol.named` lists them.

Sources and our choices
    CUB follows the released code of SCOPS' successors. From Choudhury et al. (2021): the regression is fitted on three species
    and tested on one of them; each part is fitted and measured on the images that show it. From AutoLink (2022): the crop is a
    square around the official box, cut off at the image's border and stretched; the error is in % of its side; the regression
    has no bias and a corner origin. Unlike AutoLink, we do not first trim images to multiples of 16 pixels. SCOPS standardises
    the coordinates, which equals the regression with bias. `cub-aligned` is the selection of Lorenz et al. (2019): it has no
    sea birds, one eye is hidden, and all birds face the same way.
    Taichi follows the data of Siarohin et al. (2020) and the code of GANSeg and AutoLink: a regression with bias, and
    |dx| + |dy|, summed over the points.
    Human3.6M follows AutoLink's code: left and right may be exchanged, also during the fit. AutoLink drops fitting images whose
    error exceeds three standard deviations, and its code has one wrong pair of joints; we do neither.
    BBC Pose follows Jakab et al. (2018) as in the code of Dundar et al.: squares of 300 pixels, no bias, centre origin. The
    threshold of 6 pixels refers to frames of half size, as in the data set's evaluation. Unlike us, Dundar et al. cut squares
    off at the border.
    DeepFashion follows the list of Lorenz et al. and AutoLink's code: no bias, corner origin, 6 pixels of 256.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.protocol.definition import Crop, Frame, Protocol, regressions
from benchmarks.protocol.faces import EYES, SQUARE_REGRESSIONS

OWN_PIXELS = Frame(name="image px")
OWN_REGRESSIONS = regressions(OWN_PIXELS, "with bias")

square_protocol = partial(Protocol, unit="image", regressions=SQUARE_REGRESSIONS)
"""A protocol on images stretched to 128x128, with errors in % of the side, as in AutoLink's code."""
pixel_protocol = partial(Protocol, unit="pixel")
"""A protocol whose errors are pixels of its frame."""
own_protocol = partial(Protocol, regressions=OWN_REGRESSIONS)
"""A protocol of this project, with regressions in pixels of the image."""

BIRD = (
    "back", "beak", "belly", "breast", "crown", "forehead", "left_eye", "left_leg", "left_wing", "nape", "right_eye",
    "right_leg", "right_wing", "tail", "throat",
)  # fmt: skip
CUB_ALL = square_protocol(
    name="cub-all",
    dataset="cub",
    images="CUB-200-2011, all 200 species",
    split="official train_test_split.txt",
    crop=Crop(
        name="square around the official box, as wide as the box's longer side, cut off at the image's border", clip=True
    ),
    landmarks=BIRD,
    source="Hung et al. 2019 (SCOPS); species as in Choudhury et al.'s code (2021), crop and error as in AutoLink's (2022)",
)


def _species(number: int) -> Protocol:
    return replace(
        CUB_ALL,
        name=f"cub-{number:03d}",
        subset=str(number),
        images="CUB-200-2011, species 1, 2 and 3 to fit, one of them to test",
        split=f"official train_test_split.txt: training images of species 1 to 3 fit, test images of species {number} test",
    )


CUB_ALIGNED = replace(
    CUB_ALL,
    name="cub-aligned",
    dataset="cub-aligned",
    images="CUB-200-2011 as cropped and mirrored by Lorenz et al.: no sea birds, all facing one way",
    split="Lorenz et al.'s train.csv fits, test.csv tests",
    crop=None,
    source="Lorenz et al. 2019's released selection of images and points; error as in AutoLink's code",
)

HUMAN = (
    "hips", "right_up_leg", "right_leg", "right_foot", "right_toe_base", "right_toe_site", "left_up_leg", "left_leg",
    "left_foot", "left_toe_base", "left_toe_site", "spine", "spine_1", "neck", "head", "head_site", "left_shoulder",
    "left_arm", "left_fore_arm", "left_hand", "left_hand_thumb", "left_thumb_site", "left_wrist_end", "left_wrist_site",
    "right_shoulder", "right_arm", "right_fore_arm", "right_hand", "right_hand_thumb", "right_thumb_site",
    "right_wrist_end", "right_wrist_site",
)  # fmt: skip
SIDES = tuple((name, "right" + name.removeprefix("left")) for name in HUMAN if name.startswith("left"))

HUMAN36M = square_protocol(
    name="human36m",
    images="Human3.6M as cropped and reduced by Zhang et al. 2018, six actions",
    split="subjects 1, 5, 6, 7, 8, 9 fit, 11 tests",
    landmarks=HUMAN,
    swaps=SIDES,
    source="Zhang et al. 2018's images; split, exchange and error as in AutoLink's code (2022)",
)

TAICHI = pixel_protocol(
    name="taichi",
    images="Taichi-HD, the annotated frames of 256x256 pixels",
    split="official: taichi_train_gt.pkl fits, taichi_test_gt.pkl tests",
    landmarks=tuple(f"point_{number}" for number in range(18)),
    distance="taxicab",
    regressions=regressions(Frame(name="256x256", size=(256, 256)), "with bias"),
    summed=True,
    thresholds=(5, 10, 20),
    source="Siarohin et al. 2020 (motion-cosegmentation) as in GANSeg's and AutoLink's code",
)

BBC_POSE = pixel_protocol(
    name="bbc-pose",
    images="BBC Pose: sign-language interpreters, frames with joints",
    split="official: the joints of the training videos fit, the manual joints of the test videos test",
    crop=Crop(name="square of 300 pixels around the joints, edge pixels repeated", side=300),
    landmarks=("head", "right_wrist", "left_wrist", "right_elbow", "left_elbow", "right_shoulder", "left_shoulder"),
    regressions=regressions(Frame(name="150x150 (half size)", size=(150, 150)), "centre"),
    thresholds=(3, 6, 12),
    within=6,
    source="Charles et al. 2013; Jakab et al. 2018; crop, regression and half-size pixels as in Dundar et al.'s code (2020)",
)

DEEPFASHION = pixel_protocol(
    name="deepfashion",
    images="DeepFashion In-shop, the 256x256 images that show all 17 joints; the joints were detected by AlphaPose",
    split="Lorenz et al.'s data_train fits, data_test tests",
    landmarks=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    regressions=regressions(Frame(name="256x256", size=(256, 256)), "corner"),
    thresholds=(3, 6, 12),
    within=6,
    source="Lorenz et al. 2019's list and joints; regression and pixels as in AutoLink's code (2022)",
)  # fmt: skip

FLIES = own_protocol(
    name="flies",
    images="crops of fruit flies, head up, from SLEAP's example recording",
    split="by time: frames below 900 fit, from 1,200 on test",
    landmarks=("head", "thorax", "abdomen", "eyeL", "eyeR"),
    unit=("head", "abdomen"),
    source="this project: crops of SLEAP's fruit-fly example, split by time",
)

TOY = own_protocol(
    name="toy",
    images="procedural cartoon faces (kpdetect toy)",
    split="of every five images in order, the first three fit, the fourth is unused, the fifth tests",
    landmarks=("left_eye", "right_eye", "nose", "mouth_left", "mouth_right"),
    unit=EYES,
    source="this project: procedural images with exact landmarks (kpdetect toy)",
)

CUB_PROTOCOLS = (CUB_ALIGNED, *(_species(number) for number in (1, 2, 3)), CUB_ALL)
BODY_PROTOCOLS = (*CUB_PROTOCOLS, TAICHI, HUMAN36M, BBC_POSE, DEEPFASHION, FLIES, TOY)
