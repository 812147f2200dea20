"""Edits of parts: pure functions from `Parts` to new `Parts`.

Source: the LatentKeypointGAN paper (He et al. 2021), sections 4.2 to 4.5, and section 3.1 of its four-page version.

Parts are moved, exchanged between images, mixed, removed and drawn twice; `Generator.draw` draws the result.
`generator.editing.editor` adds the model, names and pixels.

`chosen` are numbers of keypoints; each edit applies to the copies of these keypoints too. `share` is the weight of the other
image, from 0 (nothing changes) to 1.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from generator.heading import best_headings, between, combined
from generator.keypoints import Parts

Share = float | Tensor
"""A weight in [0, 1], or a tensor [batch] with a weight per image."""


def moved(parts: Parts, chosen: Collection[int], by: tuple[float, float], *, local: bool = False) -> Parts:
    """Shift keypoints by (x, y), normalised.

    A positional start (first feature map) is relative to all keypoints (Eq. 8), so one move changes every feature. With
    `local`, the start keeps its reference points, so distant regions stay the same; this is not in the paper.
    """
    step = parts.keypoints.new_zeros(len(parts.numbers), 2)
    step[_places(parts, chosen)] = step.new_tensor(by)
    anchors = parts.origins if local else None if parts.anchors is None else parts.anchors + step[: parts.own]
    return replace(parts, keypoints=parts.keypoints + step, anchors=anchors)


def turned(parts: Parts, *, scale: float = 1.0, degrees: float = 0.0) -> Parts:
    """Scale all keypoints about their mean and rotate them clockwise (y points down)."""
    angle = math.radians(degrees)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    matrix = parts.keypoints.new_tensor([[cosine, sine], [-sine, cosine]])  # row vectors are multiplied from the left
    middle = parts.keypoints[:, : parts.own].mean(dim=1, keepdim=True)
    anchors = None if parts.anchors is None else (parts.anchors - middle) @ matrix + middle
    headings = parts.headings
    if headings is not None:
        headings = combined(headings, headings.new_tensor([[math.cos(angle), math.sin(angle)]]))
    return replace(parts, keypoints=(parts.keypoints - middle) @ matrix + middle, anchors=anchors, headings=headings)


def posed(parts: Parts, keypoints: Tensor, share: Share = 1.0) -> Parts:
    """Move the model's keypoints towards `keypoints` [batch or 1, keypoints, 2], normalised.

    A copy keeps its distance from its keypoint. An object with a heading turns by the angle that fits the keypoints best.
    """
    own, weight = parts.keypoints[:, : parts.own], _share(parts, share)
    aim = keypoints.to(own).expand_as(own)
    target = torch.lerp(own, aim, weight)
    copies = parts.keypoints[:, parts.own :] + (target - own)[:, list(parts.copies)]
    anchors = None if parts.anchors is None else torch.lerp(parts.anchors, aim, weight)
    headings = parts.headings
    if headings is not None:
        headings = between(headings, combined(headings, best_headings(own, aim)), weight[..., 0])
    return replace(parts, keypoints=torch.cat([target, copies], dim=1), anchors=anchors, headings=headings)


def with_appearance(parts: Parts, other: Parts, chosen: Collection[int] | None = None, share: Share = 1.0) -> Parts:
    """Take the embeddings of the chosen keypoints from `other`; by default of all keypoints."""
    places = _places(parts, range(parts.own) if chosen is None else chosen)
    theirs = other.embeddings[:, [parts.numbers[place] for place in places]]
    embeddings = parts.embeddings.clone()
    embeddings[:, places] = torch.lerp(embeddings[:, places], theirs.expand(len(embeddings), -1, -1), _share(parts, share))
    return replace(parts, embeddings=embeddings)


def with_background(parts: Parts, other: Parts, share: Share = 1.0) -> Parts:
    """Take the background of `other`: its embedding and the origin of its positional encoding."""
    weight = _share(parts, share)[..., 0]
    return replace(
        parts,
        background=torch.lerp(parts.background, other.background.expand_as(parts.background), weight),
        centre=torch.lerp(parts.centre, other.centre.expand_as(parts.centre), weight),
    )


def without(parts: Parts, chosen: Collection[int]) -> Parts:
    """Remove parts: set their heatmaps to zero."""
    presence = _presence(parts).clone()
    presence[:, _places(parts, chosen)] = 0
    return replace(parts, presence=presence)


def copied(parts: Parts, chosen: Collection[int], by: tuple[float, float]) -> Parts:
    """Add copies of keypoints, shifted by (x, y), normalised, with the same embeddings."""
    places = [place for place in _places(parts, chosen) if place < parts.own]
    extra = parts.keypoints[:, places] + parts.keypoints.new_tensor(by)
    presence = None if parts.presence is None else torch.cat([parts.presence, parts.presence[:, places]], dim=1)
    return replace(
        parts,
        keypoints=torch.cat([parts.keypoints, extra], dim=1),
        embeddings=torch.cat([parts.embeddings, parts.embeddings[:, places]], dim=1),
        presence=presence,
        copies=(*parts.copies, *places),
    )


def mixed(one: Parts, two: Parts, share: Share) -> Parts:
    """Interpolate keypoints, embeddings, background and presence of two images.

    A copy that only one image has fades in or out at its position. Objects with headings turn along the shorter arc.

    Raises:
        ValueError: both images have copies, of different keypoints.
    """
    if one.headings is not None and two.headings is not None:
        headings = between(one.headings, two.headings, _share(one, share)[..., 0])
        return mixed(one.upright(), two.upright(), share).turned(headings)
    one, two = _with_copies(one, two), _with_copies(two, one)
    if one.copies != two.copies:
        raise ValueError(f"copies of the keypoints {one.copies} and {two.copies}: expected copies of the same keypoints")
    weight = _share(one, share)
    whole = one.presence is None and two.presence is None
    free = one.anchors is None and two.anchors is None
    return Parts(
        keypoints=torch.lerp(one.keypoints, two.keypoints, weight),
        embeddings=torch.lerp(one.embeddings, two.embeddings, weight),
        background=torch.lerp(one.background, two.background, weight[..., 0]),
        centre=torch.lerp(one.centre, two.centre, weight[..., 0]),
        presence=None if whole else torch.lerp(_presence(one), _presence(two), weight[..., 0]),
        copies=one.copies,
        anchors=None if free else torch.lerp(one.origins, two.origins, weight),
    )


def _with_copies(parts: Parts, other: Parts) -> Parts:
    """Add the further copies of `other` as absent parts."""
    start = len(parts.copies)
    missing = other.copies[start:]
    if not missing or other.copies[:start] != parts.copies:
        return parts
    keypoints, embeddings = (torch.cat([mine, theirs[:, parts.own + start :]], dim=1) for mine, theirs in _pairs(parts, other))
    absent = parts.keypoints.new_zeros(len(parts.keypoints), len(missing))
    presence = torch.cat([_presence(parts), absent], dim=1)
    return replace(parts, keypoints=keypoints, embeddings=embeddings, presence=presence, copies=other.copies)


def _pairs(one: Parts, two: Parts) -> list[tuple[Tensor, Tensor]]:
    return [(one.keypoints, two.keypoints), (one.embeddings, two.embeddings)]


def _places(parts: Parts, chosen: Collection[int]) -> list[int]:
    """Return the indices of the parts that belong to the chosen keypoints."""
    return [place for place, number in enumerate(parts.numbers) if number in chosen]


def _presence(parts: Parts) -> Tensor:
    return torch.ones_like(parts.keypoints[..., 0]) if parts.presence is None else parts.presence


def _share(parts: Parts, share: Share) -> Tensor:
    """Return the weight as a tensor [batch or 1, 1, 1]."""
    return torch.as_tensor(share).to(parts.keypoints).reshape(-1, 1, 1)
