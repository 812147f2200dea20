"""Shards and the export into them: exact round trips, interruptions, kills, damage and full disks."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from kpdetect.data import export
from kpdetect.data.dataset import LivePairs, PairDataset, ShardShuffle
from kpdetect.data.export import write_shards
from kpdetect.data.schema import Manifest
from kpdetect.data.shard_folder import OPEN, ShardFolder
from kpdetect.errors import ConfigError, OutputError, ShardError
from kpdetect.files.hashes import file_hash
from kpdetect.pairs import PairBatch
from tests.builders.pairs import FakeSource
from tests.builders.peers import AbsentPeers, together


def expected(count: int) -> PairBatch:
    parts = list(FakeSource().batches(0, count))
    return PairBatch(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "keypoints", "visible")}
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
@given(count=st.integers(1, 30), shard_size=st.integers(1, 12))
@settings(max_examples=15, deadline=None)
def test_raw_pairs_come_back_bit_for_bit(tmp_path_factory, count, shard_size):
    out = tmp_path_factory.mktemp("pairs")
    write_shards(FakeSource(), out, count, codec="raw", shard_size=shard_size)
    folder, truth = ShardFolder(out), expected(count)
    assert len(folder) == count
    everything = folder.read_all()
    for name in ("images", "keypoints", "visible"):
        np.testing.assert_array_equal(getattr(everything, name), getattr(truth, name))
    image, keypoints, visible = folder.read(count - 1)
    np.testing.assert_array_equal(image, truth.images[-1])
    np.testing.assert_array_equal(keypoints, truth.keypoints[-1])
    np.testing.assert_array_equal(visible, truth.visible[-1])


def test_jpeg_pairs_are_close_and_their_keypoints_exact(tmp_path):
    write_shards(FakeSource(), tmp_path, 11, shard_size=5)
    folder, truth = ShardFolder(tmp_path), expected(11)
    everything = folder.read_all()
    assert np.abs(everything.images.astype(int) - truth.images).mean() < 4
    np.testing.assert_array_equal(everything.keypoints, truth.keypoints)
    np.testing.assert_array_equal(folder.batch([7, 2]).images, everything.images[[7, 2]])


def test_a_folder_may_be_named_by_a_string_and_no_pairs_are_empty_arrays(tmp_path):
    write_shards(FakeSource(), tmp_path, 5)
    folder = ShardFolder(str(tmp_path))
    nothing, one = folder.batch([]), folder.batch([4])
    assert len(nothing) == 0
    for name, shape in (("images", (0, 6, 10, 3)), ("keypoints", (0, 3, 2)), ("visible", (0, 3))):
        assert getattr(nothing, name).shape == shape
        assert getattr(nothing, name).dtype == getattr(one, name).dtype


def test_a_shard_is_plain_hdf5(tmp_path):
    write_shards(FakeSource(), tmp_path, 9, shard_size=5)
    with h5py.File(tmp_path / "pairs-00001.h5") as file:
        assert (file.attrs["schema"], file.attrs["version"]) == ("kpdetect-pairs", 1)
        assert (file.attrs["start"], file.attrs["stop"]) == (5, 9)
        begin, end = file["offsets"][2], file["offsets"][3]
        image = cv2.imdecode(file["images"][begin:end], cv2.IMREAD_COLOR)[..., ::-1]
        keypoints = file["keypoints"][2]
    assert image.shape == (6, 10, 3)
    np.testing.assert_array_equal(keypoints, expected(9).keypoints[7])


@pytest.mark.parametrize("codec", ["jpeg", "raw"])
def test_interrupted_equals_uninterrupted(tmp_path, codec):
    write_shards(FakeSource(), tmp_path / "whole", 23, codec=codec, shard_size=8)
    with pytest.raises(RuntimeError, match="killed"):
        write_shards(FakeSource(fail_at=18), tmp_path / "broken", 23, codec=codec, shard_size=8)
    assert sorted(contents(tmp_path / "broken")) == ["manifest.json", "pairs-00000.h5", "pairs-00001.h5"]
    untouched = (tmp_path / "broken" / "pairs-00000.h5").stat().st_mtime_ns
    write_shards(FakeSource(), tmp_path / "broken", 23, codec=codec, shard_size=8)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")
    assert (tmp_path / "broken" / "pairs-00000.h5").stat().st_mtime_ns == untouched


def test_masks_are_stored_where_they_are_asked_for(tmp_path):
    write_shards(FakeSource(), tmp_path / "with", 11, shard_size=4, masks=True)
    write_shards(FakeSource(), tmp_path / "without", 11, shard_size=4)
    whole = ShardFolder(tmp_path / "with")
    np.testing.assert_array_equal(whole.read_mask(9), np.concatenate([part.masks for part in FakeSource().batches(0, 11)])[9])
    with pytest.raises(ShardError, match="--masks"):
        ShardFolder(tmp_path / "without").read_mask(0)
    item = PairDataset(whole, masks=True)[9]
    np.testing.assert_array_equal(item["mask"], whole.read_mask(9))
    assert "mask" not in PairDataset(whole)[9]
    with pytest.raises(ShardError, match="--masks"):
        PairDataset(ShardFolder(tmp_path / "without"), masks=True)
    live = list(LivePairs(FakeSource(), start=8, stop=10, block=4))
    assert [item["index"] for item in live] == [8, 9]
    np.testing.assert_array_equal(live[1]["mask"], whole.read_mask(9))
    with pytest.raises(ConfigError, match="masks: False -> True"):
        write_shards(FakeSource(), tmp_path / "without", 11, shard_size=4, masks=True)


def test_folders_of_before_there_were_masks_are_read(tmp_path):
    write_shards(FakeSource(), tmp_path, 5)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["masks"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert not ShardFolder(tmp_path).facts.masks


def test_a_larger_count_extends(tmp_path):
    write_shards(FakeSource(), tmp_path / "once", 21, shard_size=8)
    for count in (5, 13, 21):
        write_shards(FakeSource(), tmp_path / "thrice", count, shard_size=8)
        assert len(ShardFolder(tmp_path / "thrice")) == count
    assert contents(tmp_path / "thrice") == contents(tmp_path / "once")


KILLED = """
import sys, time
from pathlib import Path
from tests.builders.pairs import FakeSource
from kpdetect.data.export import write_shards

class Slow(FakeSource):
    def batches(self, start, stop):
        for batch in super().batches(start, stop):
            time.sleep(0.02)
            yield batch

print("ready", flush=True)
write_shards(Slow(), Path(sys.argv[1]), 400, shard_size=20)
"""


@pytest.mark.slow
def test_kill_9_leaves_whole_shards_only(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "killed")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 60
    while not (tmp_path / "killed" / "pairs-00001.h5").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    left = sorted((tmp_path / "killed").glob("*.h5"))
    assert 2 <= len(left) < 20
    for number, path in enumerate(left):
        with h5py.File(path) as file:  # each one opens and is complete
            assert file["keypoints"].shape == (20, 3, 2)
            assert file.attrs["start"] == 20 * number
    write_shards(FakeSource(), tmp_path / "killed", 400, shard_size=20)
    write_shards(FakeSource(), tmp_path / "whole", 400, shard_size=20)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_processes_that_share_a_folder_write_what_one_alone_would(tmp_path):
    write_shards(FakeSource(), tmp_path / "alone", 50, shard_size=4)
    left = together(3, lambda peers: write_shards(FakeSource(), tmp_path / "shared", 50, shard_size=4, peers=peers))
    manifests = [Manifest.read(tmp_path / name) for name in ("alone", "shared")]
    assert manifests[0] == manifests[1]
    assert left == [manifests[0]] * 3
    assert ShardFolder(tmp_path / "shared").damaged() == []


def test_a_process_that_starts_late_does_not_forget_what_another_rebuilt(tmp_path, monkeypatch):
    write_shards(FakeSource(), tmp_path, 20, shard_size=4)
    (tmp_path / "pairs-00001.h5").write_bytes(b"damaged")
    whole = export._is_whole

    def look_then_wait(out, shard):
        found = whole(out, shard)
        if shard.start == 16:  # after its last look the other process overtakes
            monkeypatch.setattr(export, "_is_whole", whole)
            write_shards(FakeSource(), tmp_path, 20, shard_size=4, peers=AbsentPeers(rank=1, world=2))
        return found

    monkeypatch.setattr(export, "_is_whole", look_then_wait)
    write_shards(FakeSource(), tmp_path, 20, shard_size=4, peers=AbsentPeers(rank=0, world=2))
    assert len(ShardFolder(tmp_path)) == 20


def test_a_part_writes_every_other_shard(tmp_path):
    manifest = write_shards(FakeSource(), tmp_path, 20, shard_size=4, peers=AbsentPeers(rank=1, world=2))
    assert [shard.start for shard in manifest.shards] == [4, 12]


def test_a_shard_cut_in_half_is_named_and_rebuilt_alone(tmp_path):
    manifest = write_shards(FakeSource(), tmp_path, 20, shard_size=8)
    victim = tmp_path / "pairs-00001.h5"
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    with pytest.raises(ShardError, match=r"pairs-00001\.h5: damaged shard.*generate. command again"):
        ShardFolder(tmp_path)
    others = (tmp_path / "pairs-00000.h5").stat().st_mtime_ns
    write_shards(FakeSource(), tmp_path, 20, shard_size=8)
    assert file_hash(victim) == manifest.shards[1].sha256
    assert (tmp_path / "pairs-00000.h5").stat().st_mtime_ns == others


def test_a_flipped_bit_is_found_by_verification(tmp_path):
    write_shards(FakeSource(), tmp_path, 20, shard_size=8)
    victim = tmp_path / "pairs-00002.h5"
    data = bytearray(victim.read_bytes())
    data[-40] ^= 1
    victim.write_bytes(data)
    assert [shard.file for shard in ShardFolder(tmp_path).damaged()] == ["pairs-00002.h5"]


def test_missing_shards_and_foreign_manifests_are_named(tmp_path):
    write_shards(FakeSource(), tmp_path, 20, shard_size=8)
    for name in ("pairs-00001.h5", "pairs-00002.h5"):
        (tmp_path / name).unlink()
    with pytest.raises(ShardError, match=r"the manifest names pairs-00001\.h5, pairs-00002\.h5, which is missing"):
        ShardFolder(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": "kpdetect-pairs", "version": 99}))
    with pytest.raises(ShardError, match="not a manifest of kpdetect-pairs version 1"):
        ShardFolder(tmp_path)


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (FakeSource(seed=1), {}, "provenance.seed: 0 -> 1"),
        (FakeSource(), {"codec": "raw"}, "codec: jpeg -> raw"),
        (FakeSource(), {"shard_size": 9}, "shard_size: 8 -> 9"),
    ],
)
def test_pairs_of_another_kind_are_refused(tmp_path, source, options, said):
    write_shards(FakeSource(), tmp_path, 10, shard_size=8)
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match=said):
        write_shards(source, tmp_path, 10, **{"shard_size": 8, **options})
    assert contents(tmp_path) == before


def test_a_full_disk_stops_with_one_line_and_keeps_whole_shards(tmp_path, monkeypatch):
    write, shards = Path.write_bytes, []

    def full(path, data):
        shards.extend([path] if bytes(data[:4]) == b"\x89HDF" else [])
        if len(shards) == 3:
            write(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        write_shards(FakeSource(), tmp_path, 30, shard_size=8)
    assert "\n" not in str(caught.value)
    assert sorted(contents(tmp_path)) == ["manifest.json", "pairs-00000.h5", "pairs-00001.h5"]
    monkeypatch.undo()
    write_shards(FakeSource(), tmp_path, 30, shard_size=8)
    assert len(ShardFolder(tmp_path)) == 30


def test_a_shard_larger_than_memory_should_hold_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="`shard_size=100000000`: .* give at most 23860929"):
        write_shards(FakeSource(), tmp_path / "pairs", 10, shard_size=100_000_000)
    assert not (tmp_path / "pairs").exists()


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from kpdetect.data.export import write_shards
from kpdetect.errors import OutputError
from kpdetect.pairs import PairBatch
from tests.builders.pairs import FakeSource

class Large(FakeSource):
    size = (64, 64)
    def batches(self, start, stop):
        yield PairBatch(images=np.random.default_rng(0).integers(0, 255, (stop - start, 64, 64, 3), dtype=np.uint8),
                        keypoints=np.zeros((stop - start, 3, 2), np.float32), visible=np.ones((stop - start, 3), bool))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    write_shards(Large(), Path(sys.argv[1]), 100, codec="raw", shard_size=50)
except OutputError as error:
    print("refused:", error)
"""


@pytest.mark.slow
def test_writing_that_really_fails_leaves_nothing_half_written(tmp_path):
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path / "pairs")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ")
    assert len(done.stdout.splitlines()) == 1
    assert list((tmp_path / "pairs").iterdir()) == []


def test_data_set_reads_in_worker_processes(tmp_path):
    write_shards(FakeSource(), tmp_path, 10, codec="raw", shard_size=4)
    data = PairDataset(ShardFolder(tmp_path))
    assert data[6]["index"] == 6  # opens a file, which must not travel
    copy = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(copy[6]["image"], expected(10).images[6])
    with pytest.raises(IndexError):
        data[10]


def test_only_a_few_shards_are_open(tmp_path):
    write_shards(FakeSource(), tmp_path, 22, codec="raw", shard_size=2)
    folder = ShardFolder(tmp_path)
    for index in (*range(22), 0):
        np.testing.assert_array_equal(folder.read(index)[0], expected(22).images[index])
        assert len(folder._handles) <= OPEN
    assert "pairs-00010.h5" in folder._handles  # the last ones used stay open
    assert folder.read_all().images.shape == (22, 6, 10, 3)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_shuffle_covers_everything_once_over_all_ranks(world):
    ranks = [ShardShuffle([7, 5, 9], seed=4, together=2, rank=rank, world=world) for rank in range(world)]
    seen = [index for rank in ranks for index in rank]
    assert sorted(seen) == list(range(21))
    assert [len(rank) for rank in ranks] == [len(list(rank)) for rank in ranks]


def test_even_ranks_have_equally_many():
    ranks = [list(ShardShuffle([7, 5, 8], seed=4, rank=rank, world=3, even=True)) for rank in range(3)]
    assert [len(rank) for rank in ranks] == [6, 6, 6]
    assert len({index for rank in ranks for index in rank}) == 18
    assert len(ShardShuffle([7, 5, 8], seed=4, rank=1, world=3, even=True)) == 6


@pytest.mark.slow
def test_workers_and_ranks_share_shuffled_shards(tmp_path):
    write_shards(FakeSource(), tmp_path, 22, shard_size=5)
    folder, seen = ShardFolder(tmp_path), []
    for rank in range(2):
        order = ShardShuffle(folder.lengths, seed=1, together=2, rank=rank, world=2)
        loader = DataLoader(PairDataset(folder), batch_size=4, sampler=order, num_workers=2)
        for batch in loader:
            np.testing.assert_array_equal(batch["keypoints"], expected(22).keypoints[batch["index"]])
            seen += batch["index"].tolist()
    assert sorted(seen) == list(range(22))


def test_shuffle_continues_where_it_stopped_and_changes_every_epoch():
    whole = list(ShardShuffle([7, 5, 9], seed=4))
    resumed = ShardShuffle([7, 5, 9], seed=4)
    resumed.resume(epoch=0, done=6)
    assert list(resumed) == whole[6:]
    resumed.resume(epoch=1, done=0)
    assert list(resumed) != whole
    assert whole != sorted(whole)
