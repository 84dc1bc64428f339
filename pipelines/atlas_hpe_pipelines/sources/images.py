"""Pictures as a clip: a single one, a folder, a list."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.errors import InputError, SourceError
from atlas_hpe.files import read_bytes
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sources.depth import DepthView, doubt_depth, is_depth
from atlas_hpe_pipelines.sources.listing import Listing
from atlas_hpe_pipelines.sources.silence import silent_opencv
from atlas_hpe_pipelines.sources.source import ASSUMED_FPS, RecordedSource, SourceOptions

__all__ = ["ImageSource", "decode_picture"]

_START_OF_IMAGE, _START_OF_SCAN, _END_OF_IMAGE = b"\xff\xd8", 0xDA, b"\xff\xd9"


class ImageSource(RecordedSource):
    """Pictures as a ``Source``, one after the other at a constant rate.

    Each keeps its own size; EXIF rotation is applied, an alpha channel is not looked at, 16-bit
    colour is cut down to 8. One that can't be decoded leaves a gap in the numbers and a warning.

    When the first picture has one channel of 16 bits, all are taken for depth; see ``DepthView``.

    Args:
        listing: The pictures.
        options: ``fps`` and ``depth_unit_mm`` count.

    Raises:
        SourceError: None of the pictures can be decoded.
    """

    def __init__(self, listing: Listing, options: SourceOptions) -> None:
        self.name = listing.name
        self.frame_count: Optional[int] = len(listing.paths)
        self.fps = ASSUMED_FPS if options.fps is None else options.fps
        self.warnings: List[str] = []
        self.paths = listing.paths
        self._lost: List[str] = []
        self._view: Optional[DepthView] = None
        first = self._read_first(listing, options)
        self.size_px: Tuple[int, int] = (int(first.shape[1]), int(first.shape[0]))
        self.depth = self._view is not None
        if listing.left_out:
            self.warnings.append(f"{self.name}: files that are no pictures: {listing.left_out}")
        if options.fps is None and len(listing.paths) > 1:
            self.warnings.append(
                f"{self.name}: pictures carry no time, {ASSUMED_FPS:g} frames/s assumed"
            )

    def frames(self) -> Iterator[Frame]:
        """The pictures in order; what could not be decoded leaves a warning with the count."""
        for index in range(len(self._lost), len(self.paths)):
            image = self._read(self.paths[index])
            if image is None:
                continue
            time_s = index / self.fps
            if self._view is None:
                yield Frame(index=index, time_s=time_s, image=image)
            else:
                yield self._view.frame(index, time_s, image)
        if self._lost:
            self.warnings.append(
                f"{self.name}: pictures left out: {len(self._lost)} of {len(self.paths)} "
                f"(the first: {self._lost[0]})"
            )

    def close(self) -> None:
        """Nothing is held open between two pictures."""

    def _read_first(self, listing: Listing, options: SourceOptions) -> np.ndarray:
        """The first picture that can be decoded, as it is stored; decides what the others are."""
        for path in listing.paths:
            try:
                stored = decode_picture(path, as_stored=True)
                if is_depth(stored):
                    self._view = DepthView(options.depth_unit_mm)
                    doubt = doubt_depth(stored, options.depth_unit_mm)
                    self.warnings += [] if doubt is None else [f"{self.name}: {doubt}"]
                    return stored
                return decode_picture(path)
            except InputError as error:
                self._lost.append(_in_words(path, error))
        many = len(listing.paths) > 1
        raise SourceError(
            f"none of the {len(listing.paths)} pictures can be decoded"
            if many
            else "the picture can't be decoded",
            where=self.name,
            why=f"the first: {self._lost[0]}" if many else self._lost[0].split(": ", 1)[1],
            fix="open it with another program, or copy it again",
        )

    def _read(self, path: Path) -> Optional[np.ndarray]:
        try:
            image = decode_picture(path, as_stored=self._view is not None)
            if self._view is not None and not is_depth(image):
                raise SourceError("it is no depth picture, one channel of 16 bits, as the first is")
        except InputError as error:
            self._lost.append(_in_words(path, error))
            return None
        return image


def decode_picture(path: Path, *, as_stored: bool = False) -> np.ndarray:
    """Decode a picture file.

    Args:
        path: The file.
        as_stored: Keep channels and bits, and do not turn.

    Returns:
        (H, W, 3) uint8, BGR; as stored whatever the file holds.

    Raises:
        InputError: The file can't be read.
        SourceError: It is no picture, or it is cut off.
    """
    data = read_bytes(path)
    if not data:
        raise SourceError("the file is empty (0 bytes)", where=path)
    if data[:2] == _START_OF_IMAGE and not _is_whole_jpeg(data):
        raise SourceError("it is cut off", where=path)
    flags = cv2.IMREAD_UNCHANGED if as_stored else cv2.IMREAD_COLOR
    try:
        with silent_opencv():
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:  # larger than OpenCV's limits, for example
        raise SourceError(f"OpenCV refuses it ({error.err})", where=path) from error
    if image is None:
        raise SourceError("it is not a picture, or it is damaged", where=path)
    return np.asarray(image)


def _is_whole_jpeg(data: bytes) -> bool:
    """Whether the end of a JPEG is there; OpenCV fills what is missing with grey and says nothing.

    Segments are passed over by their lengths up to the first scan (ITU-T T.81, B.1.1.4), because
    the preview in one of them has an end of its own.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == _START_OF_SCAN:
            return data.find(_END_OF_IMAGE, at) >= 0
        is_padding = data[at + 1] == 0xFF
        at += 1 if is_padding else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _in_words(path: Path, error: InputError) -> str:
    return f"{path}: {error.what}" if error.why is None else f"{path}: {error.what} ({error.why})"
