"""`python -m tests.fuzz`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import torch

from kpdetect.module_command import module_parser
from tests.fuzz.campaign import read_damaged, run
from tests.fuzz.originals import make_originals


def main() -> int:
    parser = module_parser("tests.fuzz", "Damage files of every kind and read them.")
    parser.add_argument("--inputs", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="read this one input in this process, with its traceback")
    given = parser.parse_args()
    torch.set_num_threads(1)  # the workers are forks, in which threads of this process would be missing
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="kpdetect-originals-") as folder:
        make_originals(Path(folder))
        if given.only is not None:
            print(read_damaged(Path(folder), given.seed, given.only))
            return 0
        counts, failures = run(Path(folder), given.seed, given.inputs)
    print(file=sys.stderr)
    for failure in failures:
        print(f"--- input {failure.number} (--seed {given.seed} --only {failure.number}): {failure.what}\n{failure.report}")
    print(", ".join(f"{what}: {count:,}" for what, count in sorted(counts.items())))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
