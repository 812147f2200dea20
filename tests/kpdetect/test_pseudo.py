"""Real images with the keypoints found in them, as pairs."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from kpdetect.data.shard_folder import ShardFolder
from kpdetect.errors import InputError, OutputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import read_sources, write_sources
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.pseudo_labels import PseudoPairs, averaged, write_pseudo_pairs
from kpdetect.skeleton import Skeleton
from kpdetect.training.checkpoints import save_weights


@pytest.fixture
def predicted(tmp_path):
    """Three images of 40x20 pixels, two keypoints each, found by a model with a record of one image."""
    names = ["a.png", "sub/b.png", "c.png"]
    for number, name in enumerate(names):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "images" / name), np.full((20, 40, 3), 40 * number, np.uint8))
    model = tmp_path / "model"
    model.mkdir()
    save_weights(model / "model.safetensors", "detector", {}, {})
    write_sources(model, [("behind.png", "0123")])
    # pixel centres: 20 is half a pixel right of the middle of 40 columns, 5 is a quarter down of 20 rows
    points = np.tile(np.array([[19.5, 9.5], [14.5, 4.5]], np.float32), (3, 1, 1))
    confidence = np.array([[0.9, 0.2], [0.9, 0.9], [0.9, 0.9]], np.float32)
    found = Predictions(images=names, keypoints_px=points, confidence=confidence, sizes=np.tile([20, 40], (3, 1)))
    (tmp_path / "found").mkdir()
    found.write(tmp_path / "found", {"model": file_hash(model / "model.safetensors")})
    return tmp_path


def test_keypoints_move_with_the_square(predicted):
    batches = list(PseudoPairs([predicted / "found"], predicted / "images", 32, "centre", 0.5).batches(0, 3))
    pairs = batches[0]
    assert pairs.images.shape == (3, 32, 32, 3)
    assert pairs.images[1].mean() == 40
    np.testing.assert_allclose(pairs.keypoints[1], [[0, 0], [-0.5, -0.5]], atol=1e-6)  # the centre square is 20 wide
    assert pairs.visible.tolist() == [[True, False], [True, True], [True, True]]
    assert (pairs.keypoints[0, 1] > 1).all()  # outside of the frame: not learned
    stretched = next(PseudoPairs([predicted / "found"], predicted / "images", 32, "stretch").batches(0, 1))
    np.testing.assert_allclose(stretched.keypoints[0], [[0, 0], [-0.25, -0.5]], atol=1e-6)
    assert stretched.visible.all()


def test_shards_name_every_image_behind_them(predicted):
    found, images, out = predicted / "found", predicted / "images", predicted / "pairs"
    assert write_pseudo_pairs(predicted / "model", found, images, out, size=32, codec="raw") == 3
    with pytest.raises(OutputError, match="this folder holds images, predictions or a model"):
        write_pseudo_pairs(predicted / "model", found, images, predicted / "model")
    folder = ShardFolder(out)
    assert (len(folder), folder.facts.keypoints, folder.facts.size) == (3, 2, (32, 32))
    assert {name for name, _ in read_sources(out)} == {"a.png", "sub/b.png", "c.png", "behind.png"}
    assert folder.facts.provenance["crop"] == "centre"


def test_two_detectors_are_averaged_by_the_names_of_images(predicted):
    found, images, second = predicted / "found", predicted / "images", predicted / "second"
    second.mkdir()
    save_weights(second / "model.safetensors", "detector", {}, {"step": 1})
    write_sources(second, [("other.png", "4567")])
    first = Predictions.read(found)
    moved = replace(
        first,
        images=first.images[::-1],
        keypoints_px=first.keypoints_px + np.array([2, 0], np.float32) * np.arange(3, dtype=np.float32)[:, None, None],
        confidence=np.full((3, 2), 0.6, np.float32),
    )
    (predicted / "found-2").mkdir()
    moved.write(predicted / "found-2", {"model": file_hash(second / "model.safetensors")})
    out, others = predicted / "pairs", [(second, predicted / "found-2")]
    write_pseudo_pairs(predicted / "model", found, images, out, size=20, codec="raw", min_confidence=0.5, others=others)
    keypoints = np.stack([ShardFolder(out).read(row)[1] for row in range(3)])
    # the last of the second is the first of the first: 4 px further right, half of it in the mean, a tenth of 20 px a unit
    np.testing.assert_allclose(keypoints[1:, 0, 0], [0.1, 0.0], atol=1e-6)
    np.testing.assert_allclose(keypoints[0, 0], [0.2, 0.0], atol=1e-6)
    assert not ShardFolder(out).read(0)[2][1]  # sure to (0.2 + 0.6) / 2
    assert {"behind.png", "other.png"} <= {name for name, _ in read_sources(out)}
    replace(first, images=["a.png", "sub/b.png", "d.png"]).write(predicted / "found-2", {"model": "any"})
    with pytest.raises(InputError, match="found-2: expected as many keypoints of the same images"):
        PseudoPairs([found, predicted / "found-2"], images, 32, "centre")
    replace(first, sizes=first.sizes + 1).write(predicted / "found-2", {"model": "any"})
    with pytest.raises(InputError, match="found-2: the sizes of its images differ"):
        PseudoPairs([found, predicted / "found-2"], images, 32, "centre")


def test_what_does_not_belong_together_is_refused(predicted):
    found, images = predicted / "found", predicted / "images"
    with pytest.raises(InputError, match="a.png: no such file"):
        PseudoPairs([found], predicted, 32, "centre")
    cv2.imwrite(str(images / "c.png"), np.zeros((20, 41, 3), np.uint8))
    with pytest.raises(InputError, match="c.png: got 41x20 pixels, expected the predicted image of 40x20"):
        list(PseudoPairs([found], images, 32, "centre").batches(0, 3))
    cv2.imwrite(str(images / "c.png"), np.full((20, 40, 3), 80, np.uint8))
    record = json.loads((found / "predictions.json").read_text())
    hashes = {name: file_hash(images / name) for name in ("a.png", "sub/b.png", "c.png")}
    (found / "predictions.json").write_text(json.dumps(record | {"files": hashes}))
    PseudoPairs([found], images, 32, "centre")
    (found / "predictions.json").write_text(json.dumps(record | {"files": hashes | {"sub/b.png": "0" * 16}}))
    with pytest.raises(InputError, match=r"b.png: this is not the file that was predicted in .*found \(1 of 3 files differ\)"):
        PseudoPairs([found], images, 32, "centre")
    (found / "predictions.json").write_text(json.dumps(record | {"model": "another"}))
    with pytest.raises(InputError, match="the model another made these predictions, but"):
        write_pseudo_pairs(predicted / "model", found, images, predicted / "pairs")
    assert not (predicted / "pairs").exists()


def test_other_keypoints_are_not_averaged(predicted):
    """Both models keep two keypoints of three, but not the same two."""
    first = Predictions.read(predicted / "found")
    (predicted / "second").mkdir()
    skeleton = Skeleton(numbers=(0, 2), names=("keypoint0", "keypoint2"))
    replace(first, skeleton=skeleton).write(predicted / "second", {"model": "any"})
    with pytest.raises(
        InputError, match=r"second: got the keypoints 0, 2, expected 0, 1 as in .*found; drop the same keypoints"
    ):
        averaged([predicted / "found", predicted / "second"])
