"""A channel of the simulated video decoder with its callback thread, and streams for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Dict, List, Set, Tuple

import numpy as np
from media_device import NV12, Board

from atlas_hpe_runtime.simulator.media.annexb import read_access_unit
from clips import encode, spot_frames

H265, H264 = 0, 1
WIDTH, HEIGHT = 160, 128
PLAIN = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-bf", "0", "-g", "6")


def split(stream: bytes, codec: str) -> List[bytes]:
    """A stream in pieces of one picture; parameters go with the picture behind them."""
    starts, place = [], stream.find(b"\0\0\1")
    while place >= 0:
        starts.append(place)
        place = stream.find(b"\0\0\1", place + 3)
    pieces: List[bytes] = []
    current, has_picture = b"", False
    for start, end in zip(starts, [*starts[1:], len(stream)]):
        unit = stream[start:end]
        found = read_access_unit(unit, codec)
        assert found is not None
        kind = unit[3] & 31 if codec == "h264" else (unit[3] >> 1) & 63
        is_slice = kind in (1, 5) if codec == "h264" else kind < 32
        if has_picture and (found.pictures or not is_slice):
            pieces.append(current)
            current, has_picture = b"", False
        current += unit
        has_picture = has_picture or is_slice
    return [*pieces, current]


def h264_pieces(folder: Path, count: int, *options: str, **size: int) -> List[bytes]:
    frames = spot_frames(count, **{"width_px": WIDTH, "height_px": HEIGHT, **size})
    path = encode(frames, folder / "clip.h264", *PLAIN, "-pix_fmt", "yuv420p", *options)
    return split(path.read_bytes(), "h264")


class Decoder:
    """An open channel with its callback thread, as the samples of CANN have it."""

    def __init__(self, device: Board, entype: int = H264, **settings: int) -> None:
        self.device, self.media = device, device.media
        self.running = True
        self.threads: Set[int] = set()
        #: User data, ret_code, spot's place or None, fields of the description.
        self.told: List[Tuple[object, int, np.ndarray, Dict[str, int]]] = []
        self.skipped: List[object] = []
        self.thread, ret = device.acl.util.start_thread(self._serve, [])
        assert ret == 0
        self.desc = self.media.vdec_create_channel_desc()
        given = {"channel_id": 3, "thread_id": self.thread, "entype": entype, **settings}
        given.setdefault("out_pic_format", NV12)
        for name, value in given.items():
            assert getattr(self.media, f"vdec_set_channel_desc_{name}")(self.desc, value) == 0
            assert getattr(self.media, f"vdec_get_channel_desc_{name}")(self.desc) == value
        assert self.media.vdec_set_channel_desc_callback(self.desc, self._take) == 0
        self.open_code = self.media.vdec_create_channel(self.desc)
        self.config = self.media.vdec_create_frame_config()

    def _serve(self, _: object) -> None:
        assert self.device.acl.rt.set_context(self.device.context) == 0
        while self.running:
            self.device.acl.rt.process_report(100)

    def _take(self, stream_desc: int, pic_desc: int, user_data: object) -> None:
        self.threads.add(threading.get_ident())
        media = self.media
        assert media.dvpp_free(media.dvpp_get_stream_desc_data(stream_desc)) == 0
        assert media.dvpp_destroy_stream_desc(stream_desc) == 0
        if not pic_desc:
            self.skipped.append(user_data)
            return
        code = media.dvpp_get_pic_desc_ret_code(pic_desc)
        fields = self.device.fields(pic_desc)
        luma = np.zeros((0, 0), np.uint8) if code else self.device.planes(pic_desc)[0].copy()
        self.told.append((user_data, code, luma, fields))
        self.device.release(pic_desc)

    def stream_desc(self, data: bytes) -> int:
        desc = int(self.media.dvpp_create_stream_desc())
        assert self.media.dvpp_set_stream_desc_data(desc, self.device.upload(data)) == 0
        assert self.media.dvpp_set_stream_desc_size(desc, len(data)) == 0
        return desc

    def pic_desc(self, size: int = WIDTH * HEIGHT * 3 // 2, **fields: int) -> int:
        desc = int(self.media.dvpp_create_pic_desc())
        pointer, ret = self.media.dvpp_malloc(size)
        assert ret == 0
        self.device.describe(desc, data=pointer, size=size, **fields)
        return desc

    def send(self, data: bytes, user_data: object, **fields: int) -> None:
        handles = self.stream_desc(data), self.pic_desc(**fields)
        assert self.media.vdec_send_frame(self.desc, *handles, self.config, user_data) == 0

    def skip(self, data: bytes, user_data: object) -> None:
        stream = self.stream_desc(data)
        ret = self.media.vdec_send_skipped_frame(self.desc, stream, self.config, user_data)
        assert ret == 0

    def end(self) -> int:
        stream = self.media.dvpp_create_stream_desc()
        self.media.dvpp_set_stream_desc_eos(stream, 1)
        code: int = self.media.vdec_send_frame(self.desc, stream, 0, 0, None)
        assert self.media.dvpp_destroy_stream_desc(stream) == 0
        return code

    def close(self) -> None:
        if self.open_code == 0:
            assert self.media.vdec_destroy_channel(self.desc) == 0
            assert self.thread not in self.device.machine.reports
        assert self.media.vdec_destroy_channel_desc(self.desc) == 0
        assert self.media.vdec_destroy_frame_config(self.config) == 0
        self.running = False
        assert self.device.acl.util.stop_thread(self.thread) == 0


def spot_x(luma: np.ndarray) -> int:
    """Left edge of the bright square of ``spot_frames``."""
    return int(np.argmax(luma[24] > 128))
