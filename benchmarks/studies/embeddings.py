"""Keypoint embeddings as clouds of points in two dimensions, by t-SNE and by principal components (PCA).

Each generated image has one embedding per keypoint, and one of the background. The LatentKeypointGAN paper (He et al. 2021,
figure 13) shows that multiplied embeddings
(Eq. 1) separate the clouds of different keypoints already in the first two principal components. We also measure that as a
number: the cross-validated accuracy of a linear classifier that predicts the keypoint from those two components.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import measurement_records
from generator.stream import PairStream
from kpdetect.draw import keypoint_colour
from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing, replacing_set, write_json
from kpdetect.files.folders import make_folder
from kpdetect.training.run_folder import environment
from kpdetect.training.runtime import Runtime

FOLDS, PERPLEXITY = 5, 30.0
MARKERS = "osD^v<>PX*"
"""Each keypoint has a marker besides its colour, so that the figure can be read in grey."""
BACKGROUND = "background"


@dataclass(frozen=True, kw_only=True)
class Clouds:
    """Embeddings, projected to two dimensions.

    Attributes:
        names: [points], the number of the keypoint, or `background`.
        pca, tsne: [points, 2], projections of the keypoint embeddings alone; NaN for the background.
        pca_all, tsne_all: [points, 2], projections of keypoint and background embeddings together.
        explained: share of the keypoint embeddings' variance that the two principal components hold, 0 to 1.
        separable: accuracy in percent of a linear classifier on those components; None with one keypoint.
        separable_floor: accuracy in percent of always predicting the most frequent keypoint.
    """

    names: list[str]
    pca: NDArray[np.float64]
    tsne: NDArray[np.float64]
    pca_all: NDArray[np.float64]
    tsne_all: NDArray[np.float64]
    explained: float
    separable: float | None
    separable_floor: float


@torch.no_grad()
def gather(stream: PairStream, count: int) -> tuple[NDArray[np.float64], list[str]]:
    """Return the embeddings [points, embedding] of `count` images, and for each the keypoint's number or `background` [points].

    The embeddings are sorted by keypoint; those of the background come last.

    Raises:
        InputError: the model has no embeddings.
    """
    config = stream.network.config
    if config.embedding == "none":
        raise InputError("this model has no keypoint embeddings (model.embedding=none); give a model with embeddings")
    parts = stream.parts(0, count)
    rows = [parts.embeddings[:, part] for part in range(stream.keypoints)]
    names = [str(part) for part in range(stream.keypoints) for _ in range(count)]
    if config.separate_background or config.background_part:
        rows.append(parts.background)
        names += [BACKGROUND] * count
    return torch.cat(rows).double().cpu().numpy(), names


def project(embeddings: NDArray[np.float64], names: list[str], seed: int = 0) -> Clouds:
    """Project embeddings [points, embedding] to two dimensions, with and without those of the background."""
    from sklearn.decomposition import PCA

    is_keypoint = np.array([name != BACKGROUND for name in names])
    keypoint_rows, pca = embeddings[is_keypoint], PCA(2, random_state=seed)
    alone, spread = (np.full((len(names), 2), np.nan) for _ in range(2))
    alone[is_keypoint] = pca.fit_transform(keypoint_rows)
    spread[is_keypoint] = _tsne(keypoint_rows, seed)
    labels = np.array(names)[is_keypoint]
    return Clouds(
        names=names,
        pca=alone,
        tsne=spread,
        pca_all=PCA(2, random_state=seed).fit_transform(embeddings),
        tsne_all=_tsne(embeddings, seed),
        explained=float(pca.explained_variance_ratio_.sum()),
        separable=_separable(alone[is_keypoint], labels),
        separable_floor=100 * float(np.unique(labels, return_counts=True)[1].max() / len(labels)),
    )


def _tsne(rows: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    return np.asarray(TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows), np.float64)


def _separable(places: NDArray[np.float64], labels: NDArray[np.str_]) -> float | None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(labels)) < 2:
        return None
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    return 100 * float(cross_val_score(classifier, places, labels, cv=FOLDS).mean())


def write_embeddings(model: Path, out: Path, runtime: Runtime, *, count: int = 200, seed: int = 0) -> Clouds:
    """Write `embeddings.png`, the points as `embeddings.csv` and the numbers as `embeddings.json`.

    Raises:
        CheckpointError: the model has no generator.
        InputError: `count` is below `FOLDS`, or the model has no embeddings.
        OutputError: `out` cannot be written.
    """
    import pandas as pd

    if count < FOLDS:
        raise InputError(f"`count={count}`: expected at least {FOLDS}")
    stream = PairStream(model, runtime, seed=seed)
    points = gather(stream, count)
    make_folder(out)
    clouds = project(*points, seed)
    table = {"part": clouds.names}
    for name in ("tsne", "pca", "tsne_all", "pca_all"):
        table |= {f"{name}_{axis}": values for axis, values in zip("xy", getattr(clouds, name).T, strict=True)}
    numbers = {name: getattr(clouds, name) for name in ("explained", "separable", "separable_floor")}
    settings = {"model": str(model), "generator": stream.hash, "images": count, "seed": seed, "environment": environment()}
    with replacing_set(*(out / f"embeddings.{ending}" for ending in ("json", "csv", "png"))) as (record, points_table, figure):
        pd.DataFrame(table).to_csv(points_table, index=False, float_format="%.5g")
        draw_clouds(clouds, figure)
        write_json(record, {"schema": measurement_records.EMBEDDINGS} | numbers | settings)
    return clouds


def draw_clouds(clouds: Clouds, path: Path) -> None:
    """Draw the four panels of figure 13: t-SNE and PCA of keypoints, then of keypoints and background.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 4.4), layout="constrained")
    titles = {"tsne": "t-SNE", "pca": "PCA", "tsne_all": "t-SNE, with background", "pca_all": "PCA, with background"}
    names = np.array(clouds.names)
    for axes, (field, title) in zip(figure.subplots(1, 4), titles.items(), strict=True):
        places = getattr(clouds, field)
        for number, name in enumerate(dict.fromkeys(clouds.names)):
            behind = name == BACKGROUND
            if behind and not field.endswith("_all"):
                continue
            colour = (0.0, 0.0, 0.0) if behind else tuple(level / 255 for level in keypoint_colour(number))
            style = {"marker": "+" if behind else MARKERS[number % len(MARKERS)], "s": 14, "linewidths": 0.3 + 0.5 * behind}
            edge = {} if behind else {"edgecolors": "black"}
            axes.scatter(*places[names == name].T, color=colour, label=name, **style, **edge)
        axes.set(title=title, xticks=[], yticks=[])
    handles, labels = figure.axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", markerscale=2, ncols=1 + len(labels) // 17)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def describe_embeddings(clouds: Clouds) -> str:
    """Describe the numbers in one line."""
    shown = f"two principal components hold {100 * clouds.explained:.0f} % of the variance of the keypoint embeddings"
    if clouds.separable is None:
        return shown
    accuracy = f"{clouds.separable:.1f} % (floor {clouds.separable_floor:.1f} %)"
    return f"{shown}; a linear classifier on them recognises the keypoint with an accuracy of {accuracy}"
