"""Which ONNX node a message of atc is about."""

from __future__ import annotations

import re
from typing import Mapping, Optional

__all__ = ["find_node"]

_NAME_AT = re.compile(r"(?:(?:Op|for) \[|node:)([^\[\](),\s]{1,300})[,\](]")
_LONGER_NUMBER = re.compile(r"_?[0-9]+(?![A-Za-z0-9])")  # Conv_12 and Conv_1 are two nodes
_NAME_CHARACTER = re.compile(r"[\w./]")


def find_node(line: str, modules: Mapping[str, Optional[str]]) -> Optional[str]:
    """The node that a message names.

    atc puts names into brackets or after ``node:``, and makes names of its own by adding to those
    of the file.

    Args:
        line: The message.
        modules: Names of the file's nodes as keys; when there are none, what stands in the place
            of a name is taken as it is.

    Returns:
        Name of the node, None when the message names none of the file.
    """
    if not modules:
        match = _NAME_AT.search(line)
        return None if match is None else match.group(1)
    places = {name: _place_of(name, line) for name in modules}
    whole = [name for name, place in places.items() if place >= 0]
    if whole:
        return min(whole, key=places.__getitem__)
    longer = [name for name in modules if "/" in name and _begins_in(name, line)]
    return max(longer, key=len, default=None)


def _place_of(name: str, line: str) -> int:
    """Where the name itself stands in the line, -1 for nowhere."""
    start = line.find(name)
    while start >= 0:
        before, after = line[max(start - 1, 0) : start], line[start + len(name) :]
        begins = before in ("[", "'", '"') or ("/" in name and before in ("", " "))
        if not _NAME_CHARACTER.match(after) and (begins or line.endswith("node:", 0, start)):
            return start
        start = line.find(name, start + 1)
    return -1


def _begins_in(name: str, line: str) -> bool:
    start = line.find(name)
    return start >= 0 and _LONGER_NUMBER.match(line, start + len(name)) is None
