"""A frame whose picture lies in device memory, and is fetched only if somebody draws on it."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np

from atlas_hpe.poses import Frame
from atlas_hpe_runtime.acl.dvpp.picture import DevicePicture

__all__ = ["DeviceFrame", "nv12_to_bgr"]


class DeviceFrame(Frame):
    """A ``Frame`` that the device decoded.

    The picture stays in device memory as long as somebody has the frame, but not beyond the
    closing of its source.

    Args:
        index: Position in the source.
        time_s: Presentation time.
        picture: The picture on the device, for cropping there.
        size_px: Width and height that are shown; the picture may be larger by one.
    """

    picture: DevicePicture

    def __init__(
        self, index: int, time_s: float, picture: DevicePicture, size_px: Tuple[int, int]
    ) -> None:
        # The base class is frozen, as a dataclass; this is how its own constructor sets fields.
        for name, value in (
            ("index", index),
            ("time_s", time_s),
            ("picture", picture),
            ("_size_px", size_px),
            ("_image", None),
            ("depth_mm", None),
        ):
            object.__setattr__(self, name, value)

    @property
    def size_px(self) -> Tuple[int, int]:
        """Width and height."""
        size: Tuple[int, int] = vars(self)["_size_px"]
        return size

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8, BGR; copied from the device at the first use.

        Raises:
            SessionError: The source was closed before the first use.
            DeviceError: The copy failed.
        """
        image: Optional[np.ndarray] = vars(self)["_image"]
        if image is None:
            width_px, height_px = self.size_px
            whole = nv12_to_bgr(self.picture.download(), self.picture.matrix)
            image = np.ascontiguousarray(whole[:height_px, :width_px])
            object.__setattr__(self, "_image", image)
        return image


def nv12_to_bgr(planes: np.ndarray, matrix: str) -> np.ndarray:
    """Convert for drawing, with BT.601 as OpenCV does for all video.

    Args:
        planes: (H * 3 / 2, W) uint8: H rows of Y, then H / 2 rows of U and V in turn.
        matrix: A key of ``atlas_hpe.aipp.CSC_MATRICES``; its range counts, narrow or wide.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    if matrix.endswith("narrow"):
        return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_NV12))
    height = planes.shape[0] // 3 * 2
    luma, chroma = planes[:height], planes[height:].reshape(height // 2, -1, 2)
    chroma = chroma.repeat(2, axis=0).repeat(2, axis=1)
    ycrcb = np.dstack([luma, chroma[..., 1], chroma[..., 0]])
    return np.asarray(cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2BGR))
