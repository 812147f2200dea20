"""`python -m kpdetect` is the command `kpdetect`, for torchrun and for Python installations without the command on the path."""

from __future__ import annotations

from kpdetect.cli.start import main

if __name__ == "__main__":
    main()
