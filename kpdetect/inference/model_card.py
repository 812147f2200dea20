"""A model card for the packed detector of a project that has no card of its own."""

from __future__ import annotations

from kpdetect.skeleton import Skeleton
from kpdetect.training.stage_choice import StageChoice, sentence_start, stage_title


def model_card(name: str, points: Skeleton, choice: StageChoice, pretrained: str = "") -> str:
    """Write a model card in Markdown.

    Args:
        name: name of the packed model.
        points: the keypoints that the detector's results contain.
        choice: the choice among the project's detectors.
        pretrained: a sentence about the pretrained weights that the project uses; empty if it uses none.
    """
    named = f": {', '.join(points.names)}" if points.named else ""
    rows = (
        f"| {sentence_start(stage_title(each.stage))} | {each.score:.2f} | {each.low:.2f} to {each.high:.2f} | "
        f"{'yes' if each.stage == choice.chosen else 'no'} |"
        for each in choice.stages
    )
    return "\n".join(
        [
            f"# {name}",
            "",
            f"A detector of {len(points.numbers)} keypoints{named}. It was trained with kpdetect without labels."
            + f" {pretrained}" * bool(pretrained),
            "",
            "```sh",
            f"kpdetect predict {name} IMAGES --out keypoints",
            "```",
            "",
            f"**Choice of the detector.** {choice.sentence} The scores were measured on {choice.images} images without labels. "
            "They are not errors.",
            "",
            "| detector | score | 90 % interval | used |",
            "|---|---|---|---|",
            *rows,
            "",
            "**Data.** `sources.csv` lists the training images, if they are known. **Licence.** Write it into `LICENSE`.",
            "",
        ]
    )
