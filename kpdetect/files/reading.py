"""A context manager for code that reads a file. It turns any failure into an error of one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from kpdetect.errors import FormatError, InputError, KpdetectError

LONGEST = 160
"""Largest number of characters of a library's error message that is quoted."""
AGAIN = "the file is damaged, make or copy it again"


@contextmanager
def reading(path: Path | str, refused: type[KpdetectError] = FormatError, advice: str = AGAIN) -> Iterator[None]:
    """Turn any exception in a `with` block that reads and parses `path` into one error that names the file.

    Errors of this project pass unchanged.

    Args:
        path: the file. The message begins with its path.
        refused: type of the error for a damaged file.
        advice: advice to the user, at the end of the message.

    Raises:
        InputError: the file is missing or the system refuses to read it.
        KpdetectError: of the type `refused`, for any other exception. KeyboardInterrupt passes unchanged.
    """
    try:
        yield
    except KpdetectError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except OSError as error:
        if error.errno is not None and error.filename is not None:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        raise refused(f"{path}: {reason(error)}; {advice}") from error
    except MemoryError as error:
        raise refused(f"{path}: reading it needs more memory than there is; {advice}") from error
    except RecursionError as error:
        raise refused(f"{path}: the content is nested too deeply; {advice}") from error
    except Exception as error:  # libraries raise many types for damaged files
        raise refused(f"{path}: {reason(error)}; {advice}") from error


def reason(error: Exception) -> str:
    """Describe an exception in one short line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = f"{where or 'content'}: {first['msg'].removeprefix('Value error, ')}"
    elif isinstance(error, KeyError):
        text = f"{error} is missing"
    else:
        text = str(error) or type(error).__name__
    return shortened(text)


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text as one line, cut off after `longest` characters."""
    line = " ".join(text[: 4 * longest].split())
    return line if len(line) <= longest else line[: longest - 3] + "..."
