"""Reading single values from the small text files that CANN's installers leave.

These files may be damaged, unreadable, or not files at all: what can't be read is not known.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

__all__ = ["read_version"]

#: The real files have some ten lines.
_READ_BYTES = 1 << 16
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+_-]{0,63}", re.ASCII)


def read_version(path: Path) -> Optional[str]:
    """The version in a file with lines ``key=value``, from the line of the key ``version``.

    Args:
        path: For example ``ascend_toolkit_install.info`` (``version=``) or the driver's
            ``version.info`` (``Version=``).

    Returns:
        None when there is no such file, no such line, or no version in it.
    """
    try:
        if not path.is_file():  # a pipe may never end
            return None
        with path.open("rb") as stream:
            text = stream.read(_READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip().lower() == "version":
            return value.strip() if _VERSION.fullmatch(value.strip()) else None
    return None
