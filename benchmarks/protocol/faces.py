"""Protocols on faces; `benchmarks.protocol.named` lists them.

Sources and our choices
    MAFL and CelebA in the wild follow the released code of GANSeg (He et al. 2022), by the authors of our method, and of SCOPS
    (Hung et al. 2019): images stretched to 128x128, no bias, corner origin, mean of ratios. For CelebA in the wild, only those
    images of MAFL's lists are used whose official box covers at least 0.3 of the image. SCOPS standardises keypoints and
    landmarks, which equals the regression with bias.
    MTFL-AFLW uses the official lists. Its AFLW test images are crops of 150x150 pixels; its training images are photographs
    with smaller faces. We crop the training images so that faces vary in size and position as in the test images. Papers that
    print an AFLW number fit on 10,122 other AFLW faces instead.
    300-W uses the split of Ren et al. (CVPR 2014). Its crop, a square around the annotated face with a side of 100/52 of the
    face, follows DVE (Thewlis et al. 2019). Unlike DVE, we use the longer side of the face and do not shift the square.
"""

from __future__ import annotations

from functools import partial

from benchmarks.protocol.definition import Crop, Frame, Protocol, Regression, regressions

SQUARE_128 = Frame(name="128x128", size=(128, 128))
CELEBA_PIXELS = Frame(name="178x218 px", size=(218, 178))

FACE = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
EYES = ("left_eye", "right_eye")
IBUG = tuple(f"point_{number}" for number in range(1, 69))
"""The 68 points of 300-W, numbered from 1 as in the figure of its authors; 37 and 46 are the outer corners of the eyes."""
SQUARE_REGRESSIONS = regressions(SQUARE_128, "corner")

face_protocol = partial(Protocol, landmarks=FACE, unit=EYES, regressions=SQUARE_REGRESSIONS)
"""A protocol on five points of a face, measured as in GANSeg's code."""

MAFL_ALIGNED = face_protocol(
    name="mafl-aligned",
    dataset="mafl",
    images="aligned CelebA: the images that MAFL lists",
    split="MAFL: 19,000 fit, 1,000 test; other lists are called mafl-mini",
    regressions=(
        *SQUARE_REGRESSIONS,
        Regression(frame=CELEBA_PIXELS, origin="first pixel", bias=True),
        Regression(frame=CELEBA_PIXELS, origin="first pixel", bias=False),
        Regression(frame=CELEBA_PIXELS, origin="centre", bias=False),
    ),
    source="He, Wandt, Rhodin 2021, section 4.7; frame, origin and mean of ratios as in GANSeg's code (2022)",
    published=("aligned_k10",),
    comparable="mafl",
)

CELEBA_WILD = face_protocol(
    name="celeba-wild",
    images="CelebA in the wild: the images that MAFL lists and whose official face box covers at least 30 % of the image",
    split="MAFL's lists, without the images whose face box is smaller; other lists are called celeba-wild-mini",
    source="Hung et al. 2019 (SCOPS) and He et al. 2022 (GANSeg), images and split as in their code, regression as in GANSeg's",
    published=("wild_k4", "wild_k8"),
    comparable="celeba-wild",
)

MTFL = face_protocol(
    name="mtfl",
    images="MTFL's training images as 80x80 faces with a table of landmarks",
    split="this project's, within each part: of every five images, sorted by name, the first three fit, the fourth is unused, "
    "the fifth tests",
    source="images and points of Zhang et al. 2014; split and measure are our choice, the measure as in mafl-aligned",
)

MTFL_AFLW = face_protocol(
    name="mtfl-aflw",
    images="MTFL: LFW and web faces to fit, its AFLW subset to test",
    split="official: training.txt (10,000) fits, testing.txt (2,995, AFLW) tests",
    crop=Crop(
        name="fitting images: square around the landmarks whose side is 2.5 times the longer side of their box; its size "
        "changes by up to 20 % and its position by up to 7 %, at random with the image's name as the seed; edge pixels "
        "repeated. Test images: whole, as MTFL cropped them",
        scale=2.5,
        shift=0.07,
        zoom=0.2,
        fit_only=True,
    ),
    source="lists of Zhang et al. 2014; crop and measure are our choice, the measure as in mafl-aligned",
)


def _faces_300w(name: str, subset: str, tested: str) -> Protocol:
    return face_protocol(
        name=name,
        dataset="300w",
        subset=subset,
        images="300-W: AFW, HELEN, LFPW, IBUG with 68 points",
        split=f"AFW, HELEN trainset, LFPW trainset (3,148) fit; {tested}",
        crop=Crop(
            name="square around the landmarks, its side 100/52 of the longer side of their box, edge pixels repeated",
            scale=100 / 52,
        ),
        landmarks=IBUG,
        unit=("point_37", "point_46"),
        source="Sagonas et al. 2013; split of Ren et al. 2014; crop after Thewlis et al. 2019 (DVE); "
        "regression as in mafl-aligned",
    )


FACES_300W = _faces_300w("300w", "full", "HELEN testset, LFPW testset, IBUG (689) test")
FACES_300W_COMMON = _faces_300w("300w-common", "common", "HELEN testset, LFPW testset (554) test")
FACES_300W_CHALLENGING = _faces_300w("300w-challenging", "challenging", "IBUG (135) tests")

FACE_PROTOCOLS = (MAFL_ALIGNED, CELEBA_WILD, MTFL, MTFL_AFLW, FACES_300W, FACES_300W_COMMON, FACES_300W_CHALLENGING)
