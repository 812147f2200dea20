"""`python -m kpdetect` is the command `kpdetect`."""

from kpdetect.cli.start import main

if __name__ == "__main__":
    main()
