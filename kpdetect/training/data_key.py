"""The key of a run's training data. It is a text made of hashes, and the run's checkpoints store it.

The judge is a trained network in whose features images are compared. The first stage is the detector that is refined. The
anchors are pairs that keep its keypoints at their places. The key has one of these forms:

images                                   a generator
images/judge                             a generator that is trained with a judge
images/first stage/anchors[/judge]       a detector on real images; the anchors have a hash for each shard
pairs/...                                a detector on pairs, with a key of `kpdetect.detector.learned`
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class DataKey:
    """A key that is equal for equal training data. A run can only be continued with data of the same key.

    Attributes:
        source: key of the real images. If a detector is trained on pairs alone, the key of the pairs.
        first_stage: hash of the detector that is refined. Empty if a detector is trained on real images from random weights.
            None if no detector is trained on real images.
        anchors: hashes of the shards of pairs that keep the keypoints of a refined detector at their places.
        judge: hash of the trained network in whose features images are compared; None without one.
    """

    source: str
    first_stage: str | None = None
    anchors: tuple[str, ...] = ()
    judge: str | None = None

    @property
    def text(self) -> str:
        """The key as the text that a checkpoint stores."""
        refined = [] if self.first_stage is None else [self.first_stage, "/".join(self.anchors)]
        return "/".join([self.source, *refined, *([] if self.judge is None else [self.judge])])

    def continues(self, text: object) -> bool:
        """Tell whether a checkpoint with this text was trained on the same data. Early versions did not record the judge."""
        return text in (self.text, replace(self, judge=None).text)


def images_in(text: str) -> str:
    """Return the key of the real images from the text of a generator, or of a detector that is trained on real images."""
    return text.split("/")[0]


def first_stage_in(text: str) -> str:
    """Return the hash of the refined detector from the text of a detector on real images. It is empty if there is none."""
    return text.split("/")[1]
