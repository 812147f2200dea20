"""The images that a training reads: a folder, and the names that are left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.data.folder import ImageCache, build_cache, select_images
from kpdetect.data.name_lists import excluded_names
from kpdetect.data.sample import IMAGES, Sample, read_sample
from kpdetect.images.arrays import CropPolicy
from kpdetect.messages import log

FEW_IMAGES = 500
"""With fewer images, trainings that learn from images alone give a warning."""


def warn_of_few(images: int, risk: str) -> None:
    """Log a warning if a training has so few images that `risk`, a clause, may happen."""
    if images < FEW_IMAGES:
        log.warning(f"only {images} images; this training needs a few thousand, and {risk}")


@dataclass(frozen=True)
class TrainingImages:
    """The images of a folder that a training reads.

    Attributes:
        folder: folder of unlabelled images of any sizes, searched recursively.
        exclude: names of images to leave out.
        strict: stop at an unreadable image instead of skipping it.
    """

    folder: Path
    exclude: frozenset[str] = frozenset()
    strict: bool = False

    @classmethod
    def listed(
        cls, folder: Path, exclude_lists: Iterable[Path | str], strict: bool, out: Path, *, report: bool
    ) -> TrainingImages:
        """Read the lists of images to leave out. A bad folder is an error here, before a training writes anything.

        Args:
            folder: folder of images.
            exclude_lists: text files of image names, see `kpdetect.data.name_lists`.
            strict: stop at an unreadable image instead of skipping it.
            out: folder of results. Files in it are not inputs.
            report: log the names that match no image, or match only loosely.

        Raises:
            InputError: there is no folder, too few images remain, or a list cannot be used.
        """
        images = cls(folder, excluded_names(folder, [Path(each) for each in exclude_lists], report=report), strict)
        images.names(out)
        return images

    def names(self, out: Path | None = None) -> Sequence[str]:
        """List the names of the images, relative to the folder. Files in the folder of results, `out`, are not inputs.

        Raises:
            InputError: there is no folder, or too few images remain.
        """
        return select_images(self.folder, set(self.exclude), out)

    def paths(self, out: Path | None = None) -> list[Path]:
        """List the paths of the images; see `names`."""
        return [self.folder / name for name in self.names(out)]

    def spread(self, out: Path, most: int) -> list[Path]:
        """List the paths of at most `most` of the images, spread evenly; see `names`."""
        names = self.names(out)
        return [self.folder / names[number] for number in evenly_spaced(len(names), most)]

    def cache(self, out: Path, side: int, crop: CropPolicy, expected_key: str | None = None) -> ImageCache:
        """Decode the images into `out`/images.h5, or reuse the file; see `build_cache`."""
        exclude = set(self.exclude)
        return build_cache(self.folder, out, side, crop, exclude, strict=self.strict, expected_key=expected_key)

    def sample(self, out: Path, side: int, crop: CropPolicy, most: int = IMAGES) -> Sample:
        """Read at most `most` of the images, spread evenly; see `read_sample`."""
        return read_sample(self.folder, out, side, crop, self.exclude, strict=self.strict, most=most)
