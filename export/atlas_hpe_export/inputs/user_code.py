"""Running what a user asked to be run: their factory, or the code in a file that they trust."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Iterator, Type

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_export.wording import first_line

__all__ = ["user_code"]

_LIBRARIES = ("site-packages", "dist-packages", "importlib", "<frozen")


@contextmanager
def user_code(what: str, *, where: str, fix: str, kind: Type[AtlasHpeError]) -> Iterator[None]:
    """Run foreign Python code: importable from the working directory, silent, one error.

    The working directory is searched first, as ``python -m`` does, and only while this runs. What
    the code prints goes to stderr, because stdout carries data.

    Args:
        what: The error's first line, should the code fail.
        where: The option or file that names the code.
        fix: What the user can do about it.
        kind: Class of the error.

    Raises:
        AtlasHpeError: Of class ``kind``, whatever the code raised, with its file and line.
    """
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        with redirect_stdout(sys.stderr):
            yield
    except AtlasHpeError:
        raise
    except (Exception, SystemExit) as error:
        raise kind(what, where=where, why=_describe(error), fix=fix) from error
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _describe(error: BaseException) -> str:
    """Class, message and the line of the user's own code that it came from."""
    text = f"{type(error).__name__}: {first_line(error)}"
    if isinstance(error, SyntaxError):
        return text  # names the file and the line itself
    strange = (*_LIBRARIES, str(Path(__file__).parent))
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(part in frame.filename for part in strange)
    ]
    return f"{text} ({own[-1].filename}:{own[-1].lineno})" if own else text
