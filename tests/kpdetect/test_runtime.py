"""Where a computation runs."""

import pytest
import torch

from kpdetect.training.run_folder import code_commit
from kpdetect.training.runtime import resolve_runtime


@pytest.mark.parametrize(("variables", "expected"), [({}, "cuda"), ({"LOCAL_RANK": "1"}, "cuda:1")])
def test_every_process_of_torchrun_gets_a_gpu_of_its_own(monkeypatch, variables, expected):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert resolve_runtime("cpu").device == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_runtime().device == torch.device(expected)
    assert resolve_runtime().compute == torch.bfloat16


def test_where_there_is_no_checkout_the_commit_can_be_told(tmp_path, monkeypatch):
    monkeypatch.setattr("kpdetect.training.run_folder.__file__", str(tmp_path / "kpdetect" / "training" / "run_folder.py"))
    for told, expected in (("c0ffee", "c0ffee"), ("", "unknown")):
        monkeypatch.setenv("KPDETECT_COMMIT", told)
        assert code_commit() == expected
    monkeypatch.delenv("KPDETECT_COMMIT")
    assert code_commit() == "unknown"
