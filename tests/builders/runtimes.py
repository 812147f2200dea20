"""Where tests compute."""

from __future__ import annotations

import torch

from kpdetect.training.runtime import Runtime

CPU = Runtime(device=torch.device("cpu"), compute=torch.float32)
