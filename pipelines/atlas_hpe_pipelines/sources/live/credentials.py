"""Addresses of streams made fit for messages, reports and logs."""

from __future__ import annotations

import re
from typing import Match, Pattern

__all__ = ["hide_credentials"]

_HIDDEN = "***"
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*://)([^\s]+)", re.IGNORECASE)
_AUTHORITY = re.compile(r"[^/?#]*")
_PATH = re.compile(r"[^?#]*")
_PART_OF_QUERY = re.compile(r"([?&;#])([^?&;#]+)")
_SECRET_NAME = re.compile(
    r"auth|code|cred|hash|jwt|key|login|pas|pin|pw|secret|session|sid|sig|tok|us", re.IGNORECASE
)


def hide_credentials(text: str) -> str:
    """Replace what may let somebody in, in every address of a text, by ``***``.

    That is user and password (``rtsp://***@host/x``), and each value of a query or fragment, but
    for one or two digits under a harmless name (``?channel=1&token=***``). Some cameras take
    ``user=..._password=...`` in the path: of a path, all behind a ``=`` is hidden. Where signs that
    an address should escape leave open which part is which, all behind ``://`` is hidden. A secret
    that is a plain part of the path can't be told from other parts.

    Args:
        text: An address, or a text with addresses in it.
    """
    return _ADDRESS.sub(_hide_in_address, text)


def _hide_in_address(address: Match[str]) -> str:
    scheme, rest = address.groups()
    authority = _matched(_AUTHORITY, rest)
    place = rest[len(authority) :]
    if "@" in place:  # of a password with a slash in it, or of a value: nobody can tell
        return scheme + _HIDDEN
    if "@" in authority:
        authority = f"{_HIDDEN}@{authority.rpartition('@')[2]}"
    path = _matched(_PATH, place)
    query = _PART_OF_QUERY.sub(_hide_part, place[len(path) :])
    if "=" in path:
        path = f"{path.partition('=')[0]}={_HIDDEN}"
    return scheme + authority + path + query


def _hide_part(part: Match[str]) -> str:
    mark, text = part.groups()
    name, equals, value = text.partition("=")
    if not equals:
        return f"{mark}{_HIDDEN}"
    is_harmless = len(value) <= 2 and value.isdigit() and not _SECRET_NAME.search(name)
    return part.group() if is_harmless else f"{mark}{name}={_HIDDEN}"


def _matched(pattern: Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return found.group() if found else ""
