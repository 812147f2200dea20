"""What a run is trained on, as its checkpoints say it: one text, made of hashes.

images                                   a generator
images/judge                             a generator that is judged in features of a trained network
images/first stage/anchors[/judge]       a detector on real images; each shard of the anchors is a part of its own
pairs/...                                a detector on pairs, whatever `kpdetect.detector.batches` calls them
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class DataKey:
    """Equal for equal training data; a run is continued with the same data alone.

    Attributes:
        source: key of the real images, or of the pairs of a detector that sees no real images.
        first_stage: hash of the detector that training on real images continues, empty without one; None in other trainings.
        anchors: hashes of the shards that keep the keypoints of such a detector in place.
        judge: hash of the trained network in whose features images are compared; None without one.
    """

    source: str
    first_stage: str | None = None
    anchors: tuple[str, ...] = ()
    judge: str | None = None

    @property
    def text(self) -> str:
        """As in a checkpoint."""
        refined = [] if self.first_stage is None else [self.first_stage, "/".join(self.anchors)]
        return "/".join([self.source, *refined, *([] if self.judge is None else [self.judge])])

    def continues(self, text: object) -> bool:
        """Whether a checkpoint with this text was trained on the same data. Early checkpoints do not name the judge."""
        return text in (self.text, replace(self, judge=None).text)


def images_in(text: str) -> str:
    """The key of the real images in the text of a generator or of a detector on real images."""
    return text.split("/")[0]


def first_stage_in(text: str) -> str:
    """The hash of the first stage in the text of a detector on real images; empty without one."""
    return text.split("/")[1]
