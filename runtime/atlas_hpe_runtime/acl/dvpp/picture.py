"""NV12 pictures in device memory, and their descriptions for the hardware."""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from typing import Sequence, Tuple

import numpy as np

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import SessionError
from atlas_hpe_runtime.acl.api import Acl, acquire
from atlas_hpe_runtime.acl.constants import PIXEL_FORMAT_NV12
from atlas_hpe_runtime.acl.dvpp.layout import PictureLayout
from atlas_hpe_runtime.acl.dvpp.pool import MemoryPool
from atlas_hpe_runtime.acl.memory import read_array
from atlas_hpe_runtime.acl.tensors import DeviceTensor

__all__ = ["DevicePicture", "create_description", "fill_description"]


class DevicePicture:
    """An NV12 picture in device memory.

    Its memory goes back to the pool when it is released, or when nobody has it any more.

    Args:
        pool: Where the memory comes from.
        layout: Size and strides.
        matrix: How its colours are meant, a key of ``atlas_hpe.aipp.CSC_MATRICES``.

    Attributes:
        generation: How often its memory was written over.

    Raises:
        DeviceError: The device has no memory left.
    """

    def __init__(self, pool: MemoryPool, layout: PictureLayout, matrix: str) -> None:
        self.pool = pool
        self.layout = layout
        self.matrix = matrix
        self.generation = 0
        self._pointer = pool.take(layout.size_bytes)
        self._giving_back = weakref.finalize(self, pool.give_back, self._pointer, layout.size_bytes)
        # At the end of the process the pool's owner has freed everything.
        self._giving_back.atexit = False

    @property
    def size_px(self) -> Tuple[int, int]:
        """Width and height."""
        return self.layout.width_px, self.layout.height_px

    @property
    def pointer(self) -> int:
        """Address of the first row of Y on the device.

        Raises:
            SessionError: The picture, or all memory of its pool, has been released.
        """
        if not self._is_there:
            raise SessionError(
                "the picture is no longer in device memory",
                why="it was released, or what it came from was closed",
                fix="use pictures, or download them, before their source is closed",
            )
        return self._pointer

    @property
    def _is_there(self) -> bool:
        return not self.pool.closed and self._giving_back.alive

    def holds(self, tensor: DeviceTensor) -> bool:
        """Whether a tensor made by ``as_tensor`` still has its content."""
        return self._is_there and tensor.generation == self.generation

    def as_tensor(self, spec: TensorSpec) -> DeviceTensor:
        """The picture as the input of a model with AIPP, where it lies.

        Args:
            spec: The model's input: uint8, of as many bytes as the picture.

        Raises:
            SessionError: The picture is released, has gaps, or is of another size.
        """
        size_bytes = self.layout.size_bytes
        fits = spec.dtype == "uint8" and int(np.prod(spec.shape)) == size_bytes
        if not fits or not self.layout.is_packed:
            raise SessionError(
                f"the picture does not fit the input '{spec.name}'",
                why=f"the model takes {spec.dtype} {list(spec.shape)}, the picture is nv12 of "
                f"{size_bytes} bytes with strides {self.layout.width_stride}x"
                f"{self.layout.height_stride}",
                fix="crop to the size of the model's input, a multiple of 16 wide, and convert "
                "the model for such pictures: atlas-hpe convert MODEL.onnx --input nv12",
            )
        return DeviceTensor(
            pointer=self.pointer,
            size_bytes=size_bytes,
            spec=spec,
            owner=self,
            device=self.pool.owner,
            generation=self.generation,
        )

    def download(self) -> np.ndarray:
        """Copy the picture to the host.

        Returns:
            (H * 3 / 2, W) uint8: H rows of Y, then H / 2 rows of U and V in turn, without gaps.

        Raises:
            SessionError: The picture is released.
            DeviceError: The copy failed.
        """
        pointer = self.pointer  # first of all: the device may be gone together with the picture
        layout = self.layout
        rows = np.empty((layout.height_stride * 3 // 2, layout.width_stride), np.uint8)
        with self.pool.owner:
            read_array(self.pool.owner, pointer, rows)
        if layout.is_packed:
            return rows
        first = layout.height_stride
        planes = rows[: layout.height_px], rows[first : first + layout.height_px // 2]
        return np.concatenate(planes)[:, : layout.width_px]

    def release(self) -> None:
        """Give the memory back; calling it again does nothing."""
        self._giving_back()


def create_description(stack: ExitStack, acl: Acl) -> int:
    """A picture description for the hardware, destroyed when the stack unwinds.

    Raises:
        DeviceError: The call failed.
    """
    return acquire(stack, acl, "media.dvpp_create_pic_desc", undo="media.dvpp_destroy_pic_desc")


def fill_description(acl: Acl, description: int, picture: DevicePicture) -> None:
    """Let a description tell where a picture lies and how.

    Raises:
        DeviceError: A call failed.
        SessionError: The picture has been released.
    """
    layout = picture.layout
    fields: Sequence[Tuple[str, int]] = (
        ("data", picture.pointer),
        ("size", layout.size_bytes),
        ("format", PIXEL_FORMAT_NV12),
        ("width", layout.width_px),
        ("height", layout.height_px),
        ("width_stride", layout.width_stride),
        ("height_stride", layout.height_stride),
    )
    for name, value in fields:
        acl.call(f"media.dvpp_set_pic_desc_{name}", description, value)
