"""Where a computation runs."""

import pytest
import torch

from kpdetect.runtime import resolve_runtime


@pytest.mark.parametrize(("variables", "expected"), [({}, "cuda"), ({"LOCAL_RANK": "1"}, "cuda:1")])
def test_every_process_of_torchrun_gets_a_gpu_of_its_own(monkeypatch, variables, expected):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert resolve_runtime("cpu").device == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_runtime().device == torch.device(expected)
    assert resolve_runtime().compute == torch.bfloat16
