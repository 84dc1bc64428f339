"""Streams of the network: RTSP, and HTTP (Motion JPEG, HLS, files)."""

from __future__ import annotations

from typing import Callable
from urllib.parse import SplitResult, urlsplit

from atlas_hpe.errors import InputError, SourceError
from atlas_hpe_pipelines.sources.live.credentials import hide_credentials
from atlas_hpe_pipelines.sources.live.opencv import Capture, capture_url
from atlas_hpe_pipelines.sources.live.patience import Patience
from atlas_hpe_pipelines.sources.live.reason import find_reason
from atlas_hpe_pipelines.sources.live.source import LiveSource
from atlas_hpe_pipelines.sources.source import Source, SourceOptions

__all__ = ["open_stream"]

_SCHEMES = ("rtsp", "rtsps", "http", "https")

#: Opens an address; the default is OpenCV's.
OpenUrl = Callable[[str, Patience], Capture]


def open_stream(
    url: str,
    options: SourceOptions,
    *,
    patience: Patience = Patience(),  # noqa: B008 - it can't be changed
    open_url: OpenUrl = capture_url,
) -> Source:
    """Open a stream by its address.

    An http(s) address whose content says how many frames it has is read like a file: every frame,
    its own times, and it ends.

    Args:
        url: ``rtsp://``, ``rtsps://``, ``http://`` or ``https://``.
        options: How it is read.
        patience: How long it is waited for.
        open_url: What connects.

    Raises:
        InputError: It is no such address.
        SourceError: The stream can't be opened or sends no picture; it says why.
    """
    parts = _split(url)
    name = hide_credentials(url)

    def connect() -> Capture:
        capture = open_url(parts.scheme + url[len(parts.scheme) :], patience)  # in small letters
        if not capture.isOpened():
            capture.release()
            why, fix = find_reason(parts, patience.open_s)
            raise SourceError("the stream can't be opened", where=name, why=why, fix=fix)
        return capture

    return LiveSource(
        name,
        connect,
        options,
        patience=patience,
        may_be_recorded=parts.scheme in ("http", "https"),
    )


def _split(url: str) -> SplitResult:
    """The parts of an address that can be used.

    Raises:
        InputError: It can't. Nothing of a malformed address is shown: no one knows which part of it
            is the password.
    """
    try:
        parts = urlsplit(url)
        is_sound = url.isprintable() and " " not in url and bool(parts.hostname)
        is_sound = is_sound and (parts.port is None or parts.port > 0)
    except ValueError:
        is_sound = False
    if not is_sound:
        raise InputError(
            "the address of the stream is malformed",
            where=f"{url.partition('://')[0][:10]}://...",
            fix="give scheme://host:port/path, or scheme://user:password@host/path; in user and "
            "password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23",
        )
    if parts.scheme not in _SCHEMES:
        raise InputError(
            f"streams of the kind {parts.scheme}:// are not read",
            where=hide_credentials(url),
            fix=f"give one of {', '.join(scheme + '://' for scheme in _SCHEMES)}",
        )
    return parts
