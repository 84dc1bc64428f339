"""A folder with one picture for each frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional, Sequence

import numpy as np

from atlas_hpe.errors import OutputError
from atlas_hpe_pipelines.sinks.options import SinkOptions
from atlas_hpe_pipelines.sinks.sink import BaseSink, require_picture
from atlas_hpe_pipelines.sinks.whole_folder import WholeFolder

if TYPE_CHECKING:
    from atlas_hpe.poses import Frame, HandPose

__all__ = ["PictureFolderSink"]

# Of zlib's 0 to 9: the next level takes half as long again for files 3 % smaller.
_COMPRESSION = 1


class PictureFolderSink(BaseSink):
    """Write PNG files that are named by the index of their frame: ``frames/000000.png``.

    PNG keeps every pixel, so that lines and figures stay sharp and pictures can be compared.

    Args:
        path: The folder.
        options: Size and ``force``.

    Raises:
        OutputError: As ``WholeFolder``.
    """

    def __init__(self, path: Path, options: SinkOptions) -> None:
        super().__init__(path)
        self._size_px = options.size_px
        self._folder = WholeFolder(path, force=options.force)
        self._frames = 0

    def _add(self, frame: Frame, picture: Optional[np.ndarray], hands: Sequence[HandPose]) -> None:
        import cv2

        image = require_picture(picture, self._size_px, self.path)
        _, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
        (self._folder.temporary / f"{frame.index:06d}.png").write_bytes(data.tobytes())
        self._frames += 1

    def _complete(self) -> None:
        if not self._frames:
            raise OutputError(
                "no frame came, so there is no picture to write",
                where=self.path,
                fix="check that the source holds frames in the range you asked for",
            )

    def _publish(self) -> None:
        self._folder.publish()

    def _discard(self) -> None:
        self._folder.discard()
