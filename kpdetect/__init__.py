"""Find keypoints in images that nobody has labelled.

    kpdetect.load("runs/faces")(image)  ->  keypoints_px, confidence

The commands are functions of this package, of `generator` and of `benchmarks`. Importing the package is fast, because a name of
`__all__` is imported only when it is first used. To read the code, begin with the modules that import no others:
    errors      every error that a user can cause
    lazy_names  public names that are imported when they are first used
    coords      pixels and normalised coordinates
    files/      files on disk: never left half written, and read with limits on their size
    images/     images as files and as pixels
    config      configurations: checked models, YAML files, `--set a.b=c`
    heatmaps    conversion of keypoints to heatmaps and back
    pairs       image-keypoint pairs, which generators draw and detectors are trained on
    skeleton    names, links and left-right partners of keypoints
    draw        pictures of keypoints
    label_places
                places of labels beside points
    shipped     trained models that come with the package
    markdown    tables in Markdown
    messages, progress, console
                messages and progress of the library, and their output on a terminal
    module_command
                the command lines of modules, `python -m MODULE`
    training/   the parts that the trainings of generators and detectors share
    data/       folders of images, folders of pairs
    detector/   the detector, a network from an image to heatmaps of keypoints, and its training on pairs
    discovery/  keypoints without training: clusters of pretrained features that are matched across images
    refinement/ training of a detector on real images
    inference/  using a trained detector
    toy/        generated cartoon faces with exactly known keypoints
    project/    `kpdetect run`, which also uses the packages `benchmarks` and `generator`
    studio/     a local web page to view, edit, name, review and compare results
    cli/        the commands
    __main__    `python -m kpdetect`, the same commands
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kpdetect.lazy_names import lazy_names

__version__ = "0.1.0"

PLACES = {
    "predict": "kpdetect.inference.prediction_job:predict_inputs",
    "PredictConfig": "kpdetect.inference.config:PredictConfig",
    "PredictResult": "kpdetect.inference.prediction_job:PredictResult",
    "Predictor": "kpdetect.inference.predictor:Predictor",
    "Predictions": "kpdetect.inference.predictions:Predictions",
    "read_predictions": "kpdetect.inference.predictions_folder:read_predictions",
    "run": "kpdetect.project.pipeline:run_project",
    "RunResult": "kpdetect.project.pipeline:RunResult",
    "ProjectConfig": "kpdetect.project.config:ProjectConfig",
    "project_config": "kpdetect.project.config:project_config",
    "train_detector": "kpdetect.project.detector_training:train_detector",
    "refine": "kpdetect.project.detector_training:refine",
    "train_imm": "kpdetect.project.detector_training:train_imm",
    "TrainedModel": "kpdetect.training.trained_model:TrainedModel",
    "resolve_runtime": "kpdetect.training.runtime:resolve_runtime",
    "export": "kpdetect.inference.export:export_detector",
    "ExportResult": "kpdetect.inference.export:ExportResult",
    "read_pairs": "kpdetect.data.dataset:read_pairs",
    "PairDataset": "kpdetect.data.dataset:PairDataset",
    "Status": "kpdetect.progress:Status",
    "models": "kpdetect.shipped:shipped_models",
    "KpdetectError": "kpdetect.errors:KpdetectError",
}
"""The module and the attribute of every public name except `load`."""
__all__ = [
    "ExportResult",
    "KpdetectError",
    "PairDataset",
    "PredictConfig",
    "PredictResult",
    "Predictions",
    "Predictor",
    "ProjectConfig",
    "RunResult",
    "Status",
    "TrainedModel",
    "export",
    "load",
    "models",
    "predict",
    "project_config",
    "read_pairs",
    "read_predictions",
    "refine",
    "resolve_runtime",
    "run",
    "train_detector",
    "train_imm",
]

if TYPE_CHECKING:
    from kpdetect.data.dataset import PairDataset, read_pairs
    from kpdetect.errors import KpdetectError
    from kpdetect.inference.config import PredictConfig
    from kpdetect.inference.export import ExportResult
    from kpdetect.inference.export import export_detector as export
    from kpdetect.inference.prediction_job import PredictResult
    from kpdetect.inference.prediction_job import predict_inputs as predict
    from kpdetect.inference.predictions import Predictions
    from kpdetect.inference.predictions_folder import read_predictions
    from kpdetect.inference.predictor import Predictor
    from kpdetect.progress import Status
    from kpdetect.project.config import ProjectConfig, project_config
    from kpdetect.project.detector_training import refine, train_detector, train_imm
    from kpdetect.project.pipeline import RunResult
    from kpdetect.project.pipeline import run_project as run
    from kpdetect.shipped import shipped_models as models
    from kpdetect.training.runtime import EngineName, Precision, resolve_runtime
    from kpdetect.training.trained_model import TrainedModel
else:
    __getattr__, __dir__ = lazy_names(__name__, PLACES)


def load(path: str | Path, device: str = "auto", engine: EngineName = "auto", precision: Precision = "auto") -> Predictor:
    """Load a trained detector as a function from images to keypoints.

    Args:
        path: project folder, detector run folder, weights file, or name of a model that comes with the package.
        device: "auto", "cpu" or "cuda".
        engine: implementation that computes the network: "auto", "torch", "onnx" or "plain" (see `kpdetect.inference.engine`).
        precision: number format of the network: "float32", "bfloat16", or "auto", which is bfloat16 where the hardware supports
            it, else float32. bfloat16 is faster, and moves keypoints by a few hundredths of a pixel of the network's image.

    Returns:
        A function that maps an image to its keypoints. The image is uint8 RGB [height, width, 3], or a path. The function
        returns `keypoints_px`, float32 [K, 2] in pixels of the image, and `confidence`, float32 [K] in [0, 1]. For a list of
        images, both results have a leading axis.

    Raises:
        CheckpointError: there is no detector, or its weights are damaged.
        InputError: the device, engine or precision is unknown or missing.
    """
    from kpdetect.inference.predictor import Predictor

    return Predictor.load(Path(path), device, engine=engine, precision=precision)
