"""The key of the training data of a run, in its checkpoints: a text made of hashes.

images                                   a generator
images/judge                             a generator that is trained with features of a trained network
images/first stage/anchors[/judge]       a detector on real images; each shard of the anchors has a hash
pairs/...                                a detector on pairs, with the key of `kpdetect.detector.batches`
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class DataKey:
    """A key that is equal for equal training data. A run can only be continued with the same data.

    Attributes:
        source: key of the real images, or key of the pairs of a detector that sees no real images.
        first_stage: hash of the detector that is refined, empty without one; None if the training is not on real images.
        anchors: hashes of the shards of pairs that keep the keypoints of a refined detector at their places.
        judge: hash of the trained network in whose features images are compared; None without one.
    """

    source: str
    first_stage: str | None = None
    anchors: tuple[str, ...] = ()
    judge: str | None = None

    @property
    def text(self) -> str:
        """The text in a checkpoint."""
        refined = [] if self.first_stage is None else [self.first_stage, "/".join(self.anchors)]
        return "/".join([self.source, *refined, *([] if self.judge is None else [self.judge])])

    def continues(self, text: object) -> bool:
        """Tell whether a checkpoint with this text was trained on the same data. Early checkpoints do not name the judge."""
        return text in (self.text, replace(self, judge=None).text)


def images_in(text: str) -> str:
    """Return the key of the real images, from the text of a generator or of a detector on real images."""
    return text.split("/")[0]


def first_stage_in(text: str) -> str:
    """Return the hash of the first stage, from the text of a detector on real images; empty without one."""
    return text.split("/")[1]
