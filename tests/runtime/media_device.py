"""A simulated board as a pyACL program sees it, with the few steps that tests of media repeat."""

from __future__ import annotations

import io
import types
from contextlib import contextmanager
from typing import Iterator, Optional, Tuple

import numpy as np
from PIL import Image

from atlas_hpe_runtime.simulator.install import build_acl
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

NV12, NV21 = 1, 2
PIC_FIELDS = ("data", "size", "format", "width", "height", "width_stride", "height_stride")


def align(value: int, step: int) -> int:
    return (value + step - 1) // step * step


class Board:
    """``acl`` after set_device, with a stream and an open DVPP channel."""

    def __init__(self, mode: str = "rc") -> None:
        self.machine = Machine(SimulatorSettings(mode=mode))
        self.acl: types.ModuleType = build_acl(self.machine)
        self.media = self.acl.media
        assert self.acl.init() == 0
        assert self.acl.rt.set_device(0) == 0
        self.context, ret = self.acl.rt.get_context()
        assert ret == 0
        self.stream, ret = self.acl.rt.create_stream()
        assert ret == 0
        self.channel = self.media.dvpp_create_channel_desc()
        assert self.media.dvpp_create_channel(self.channel) == 0
        self.to_card, self.to_host = (1, 2) if mode == "ep" else (3, 3)

    def close(self) -> None:
        assert self.media.dvpp_destroy_channel(self.channel) == 0
        assert self.media.dvpp_destroy_channel_desc(self.channel) == 0
        assert self.acl.rt.destroy_stream(self.stream) == 0
        assert self.acl.rt.reset_device(0) == 0
        assert self.acl.finalize() == 0
        self.machine.close()

    def wait(self) -> int:
        code: int = self.acl.rt.synchronize_stream(self.stream)
        return code

    def upload(self, data: bytes, extra: int = 0) -> int:
        """DVPP memory with these bytes; give it back with dvpp_free."""
        pointer, ret = self.media.dvpp_malloc(len(data) + extra)
        assert ret == 0
        host = self.acl.util.bytes_to_ptr(data)
        assert self.acl.rt.memcpy(pointer, len(data), host, len(data), self.to_card) == 0
        return int(pointer)

    def download(self, pointer: int, size: int) -> np.ndarray:
        data = bytes(size)
        host = self.acl.util.bytes_to_ptr(data)
        assert self.acl.rt.memcpy(host, size, pointer, size, self.to_host) == 0
        return np.frombuffer(data, np.uint8)

    def picture(self, values: Optional[bytes] = None, **fields: int) -> int:
        """A picture description; without ``data`` also its memory, filled with ``values``."""
        desc = self.media.dvpp_create_pic_desc()
        width, height = fields["width"], fields["height"]
        given = {
            "format": NV12,
            "width_stride": max(32, align(width, 16)),
            "height_stride": align(height, 2),
            **fields,
        }
        given.setdefault("size", given["width_stride"] * given["height_stride"] * 3 // 2)
        if "data" not in given:
            given["data"] = self.upload(values if values is not None else bytes(given["size"]))
        self.describe(desc, **given)
        return int(desc)

    def describe(self, desc: int, **fields: int) -> None:
        for name, value in fields.items():
            assert getattr(self.media, f"dvpp_set_pic_desc_{name}")(desc, value) == 0

    def fields(self, desc: int) -> dict:
        return {name: getattr(self.media, f"dvpp_get_pic_desc_{name}")(desc) for name in PIC_FIELDS}

    def planes(self, desc: int) -> Tuple[np.ndarray, np.ndarray]:
        """Luma (H, W) and chroma (H / 2, W / 2, 2) of an NV12 or NV21 picture, as stored."""
        at = self.fields(desc)
        values = self.download(at["data"], at["width_stride"] * at["height_stride"] * 3 // 2)
        rows = values.reshape(-1, at["width_stride"])
        luma = rows[: at["height"], : at["width"]]
        chroma = rows[at["height_stride"] :][: at["height"] // 2, : at["width"]]
        return luma, chroma.reshape(at["height"] // 2, at["width"] // 2, 2)

    def release(self, *descs: int) -> None:
        """Give picture descriptions and their memory back."""
        for desc in descs:
            assert self.media.dvpp_free(self.media.dvpp_get_pic_desc_data(desc)) == 0
            assert self.media.dvpp_destroy_pic_desc(desc) == 0


@contextmanager
def board(mode: str = "rc") -> Iterator[Board]:
    """A board; nothing may be left on it at the end."""
    opened = Board(mode)
    try:
        yield opened
        opened.close()
        assert opened.machine.ledger.live() == ()
    finally:
        opened.machine.close()


def nv12(luma: np.ndarray, chroma: np.ndarray, width_stride: int, height_stride: int) -> bytes:
    """NV12 in memory, padded with 7."""
    height, width = luma.shape
    rows = np.full((height_stride * 3 // 2, width_stride), 7, np.uint8)
    rows[:height, :width] = luma
    rows[height_stride : height_stride + height // 2, :width] = chroma.reshape(height // 2, width)
    return rows.tobytes()


def noise_picture(width: int, height: int, seed: int = 0) -> Tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    luma = rng.integers(0, 256, (height, width), dtype=np.uint8)
    return luma, rng.integers(0, 256, (height // 2, width // 2, 2), dtype=np.uint8)


def smooth_rgb(width: int, height: int) -> np.ndarray:
    """A picture of slow colours that JPEG keeps well; (H, W, 3) uint8."""
    x = np.linspace(0, 1, width)[None, :]
    y = np.linspace(0, 1, height)[:, None]
    channels = [80 + 120 * x * y, 60 + 150 * x + 0 * y, 200 - 130 * y + 0 * x]
    return np.stack(channels, axis=2).astype(np.uint8)


def jpeg_bytes(rgb: np.ndarray, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    options.setdefault("quality", 95)
    Image.fromarray(rgb).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def to_rgb(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Full-range Y, Cb, Cr -> RGB (JFIF 1.02), as floats."""
    cb, cr = (
        chroma[..., index].repeat(2, axis=0).repeat(2, axis=1).astype(float) - 128
        for index in (0, 1)
    )
    y = luma.astype(float)
    return np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=2)
