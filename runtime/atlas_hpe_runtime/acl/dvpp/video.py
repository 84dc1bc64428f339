"""H.264 and H.265 decoded on the device, picture after picture."""

from __future__ import annotations

import heapq
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Condition
from types import TracebackType
from typing import Deque, Dict, List, Optional, Tuple, Type

import numpy as np

from atlas_hpe.errors import AtlasHpeError, DeviceError, SessionError, UsageError
from atlas_hpe_runtime.acl.api import acquire, close_after
from atlas_hpe_runtime.acl.constants import (
    PIXEL_FORMAT_NV12,
    STREAM_TYPE_H264_BASELINE,
    STREAM_TYPE_H264_HIGH,
    STREAM_TYPE_H264_MAIN,
    STREAM_TYPE_H265_MAIN,
)
from atlas_hpe_runtime.acl.dvpp.annexb import AccessUnit
from atlas_hpe_runtime.acl.dvpp.callbacks import CallbackThread
from atlas_hpe_runtime.acl.dvpp.layout import video_layout
from atlas_hpe_runtime.acl.dvpp.picture import (
    DevicePicture,
    create_description,
    fill_description,
)
from atlas_hpe_runtime.acl.dvpp.pool import MemoryPool
from atlas_hpe_runtime.acl.dvpp.video_header import VideoHeader
from atlas_hpe_runtime.acl.memory import DeviceBuffer, write_array
from atlas_hpe_runtime.acl.owner import DeviceOwner

__all__ = ["IN_FLIGHT", "DecodedPicture", "VideoDecoder"]

#: Access units that were sent and whose pictures nobody has taken yet. A decoder may hold back 16
#: pictures until it knows their order (H.264 table A-1, H.265 section A.4.2), so fewer could
#: wait for each other for ever.
IN_FLIGHT = 18
_STREAM_TYPES: Dict[Tuple[str, int], int] = {
    ("h264", 66): STREAM_TYPE_H264_BASELINE,
    ("h264", 77): STREAM_TYPE_H264_MAIN,
    ("h264", 100): STREAM_TYPE_H264_HIGH,
    ("h265", 1): STREAM_TYPE_H265_MAIN,
    ("h265", 2): STREAM_TYPE_H265_MAIN,
}
_CHANNELS = 32
#: A picture takes milliseconds; a decoder that is silent for so long has died.
_PATIENCE_S = 10.0
#: Smaller coded pictures get such a block too, so that it can be used again for others.
_LEAST_CODED_BYTES = 1 << 16


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """What became of one access unit.

    Attributes:
        picture: The picture in device memory; None where it could not be decoded.
        is_shown: Whether it is to be shown, or was needed to decode others only.
        time_s: Its presentation time on the clock of the file, None where it has none.
    """

    picture: Optional[DevicePicture]
    is_shown: bool
    time_s: Optional[float]


class VideoDecoder:
    """One channel of the video decoder; a context manager. Send, then receive, from one thread.

    The decoder gives pictures out in the order in which they are shown, as its default mode does.
    The k-th picture that comes therefore has the k-th smallest time of those that were sent; which
    unit the callback names for it is documented nowhere.

    Args:
        owner: The device; stays the caller's.
        header: What is decoded; ``refuse_video`` said None.
        matrix: How the colours are meant.
        channel_id: Number of the channel, 0 to 31; None for the first that no decoder of this
            process uses.

    Raises:
        UsageError: The channel, or every channel, is in use.
        DeviceError: The device refused; nothing is left behind.
    """

    def __init__(
        self,
        owner: DeviceOwner,
        header: VideoHeader,
        matrix: str,
        channel_id: Optional[int] = None,
    ) -> None:
        self._owner = owner
        self._matrix = matrix
        self._layout = video_layout(header.width_px, header.height_px)
        self._change = Condition()
        self._jobs: Dict[int, _Job] = {}
        self._sent = 0
        self._ready: Deque[Optional[DevicePicture]] = deque()
        self._times: List[Tuple[float, int, AccessUnit]] = []
        self._failure: Optional[AtlasHpeError] = None
        self._finished = False
        with owner, ExitStack() as stack:
            number = _take_number(stack, owner, channel_id)
            self._pool = MemoryPool(owner)
            stack.callback(self._pool.close)
            stack.callback(self._release_jobs)
            # Before the channel, or its callbacks have nobody to run them (ascend.md section 5.5).
            thread = CallbackThread(owner, self._fail)
            stack.callback(thread.close)
            self._channel = self._open_channel(stack, header, number, thread.handle)
            stack.callback(self._send_end)
            self._resources = stack.pop_all()

    def _open_channel(self, stack: ExitStack, header: VideoHeader, number: int, thread: int) -> int:
        acl = self._owner.acl
        channel = acquire(
            stack,
            acl,
            "media.vdec_create_channel_desc",
            undo="media.vdec_destroy_channel_desc",
        )
        settings: Tuple[Tuple[str, object], ...] = (
            ("channel_id", number),
            ("thread_id", thread),
            ("callback", self._on_picture),
            ("entype", _STREAM_TYPES[header.codec, header.profile]),
            ("out_pic_format", PIXEL_FORMAT_NV12),
            ("out_pic_width", self._layout.width_px),
            ("out_pic_height", self._layout.height_px),
        )
        for name, value in settings:
            acl.call(f"media.vdec_set_channel_desc_{name}", channel, value)
        acl.call("media.vdec_create_channel", channel)
        stack.callback(acl.release, "media.vdec_destroy_channel", channel)
        return channel

    @property
    def wants_more(self) -> bool:
        """Whether another unit can be sent before a picture has to be received."""
        with self._change:
            return len(self._jobs) + len(self._ready) < IN_FLIGHT and not self._finished

    def send(self, unit: AccessUnit) -> None:
        """Hand one access unit to the decoder.

        Raises:
            SessionError: Closed, or told that the end has come.
            DeviceError: The device refused, now or in the callback thread before.
        """
        self._check()
        if self._finished:
            raise SessionError("the video decoder has been told that the stream ended")
        acl, key = self._owner.acl, self._sent
        with self._owner, ExitStack() as stack:
            size_bytes = max(_LEAST_CODED_BYTES, len(unit.data))
            block = self._pool.take(size_bytes)
            stack.callback(self._pool.give_back, block, size_bytes)
            content = np.frombuffer(unit.data, np.uint8)
            write_array(self._owner, DeviceBuffer(block, size_bytes), content)
            stream = _create_stream_description(stack, self._owner)
            acl.call("media.dvpp_set_stream_desc_data", stream, block)
            acl.call("media.dvpp_set_stream_desc_size", stream, len(unit.data))
            picture = DevicePicture(self._pool, self._layout, self._matrix)
            description = create_description(stack, acl)
            fill_description(acl, description, picture)
            with self._change:
                self._jobs[key] = _Job(stack.pop_all(), picture)
                # A unit without a time keeps its place in the order of decoding.
                time_s = float(key) if unit.time_s is None else unit.time_s
                heapq.heappush(self._times, (time_s, key, unit))
            self._sent += 1
            try:
                acl.call("media.vdec_send_frame", self._channel, stream, description, 0, key)
            except BaseException:
                self._take_back(key)
                raise

    def finish(self) -> None:
        """Say that nothing more will be sent; the decoder gives out what it has held back.

        Raises:
            DeviceError: The device refused, now or in the callback thread before.
        """
        self._check()
        self._send_end()

    def receive(self) -> Optional[DecodedPicture]:
        """Wait for the next picture in the order of showing; None once all have come.

        Call it while ``wants_more`` is False or after ``finish``: otherwise the decoder may need
        more units before it gives a picture.

        Raises:
            SessionError: The decoder is closed.
            DeviceError: The callback thread met an error, or the decoder is silent.
        """
        with self._change:
            while not self._ready and self._jobs:
                self._check()
                if not self._change.wait(_PATIENCE_S):
                    raise DeviceError(
                        "the video decoder does not answer",
                        why=f"no picture came for {_PATIENCE_S:g} s, "
                        f"{len(self._jobs)} are waited for",
                        fix="run again; when it comes back, restart the board",
                    )
            self._check()
            if not self._ready:
                return None
            picture = self._ready.popleft()
            _, _, unit = heapq.heappop(self._times)
        return DecodedPicture(picture, unit.is_shown, unit.time_s)

    def close(self) -> None:
        """Release everything, all pictures included; calling it again does nothing.

        Raises:
            DeviceError: A release failed at the first try; all were carried out.
        """
        with self._owner.for_release():
            self._resources.close()

    def __enter__(self) -> VideoDecoder:
        return self

    def __exit__(
        self,
        error_type: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        close_after(error, self.close)

    def _send_end(self) -> None:
        """Tell the decoder that the stream has ended; it returns when all callbacks are through."""
        if self._finished:
            return
        self._finished = True
        acl = self._owner.acl
        with self._owner, ExitStack() as stack:
            stream = _create_stream_description(stack, self._owner)
            acl.call("media.dvpp_set_stream_desc_eos", stream, 1)
            acl.call("media.vdec_send_frame", self._channel, stream, 0, 0, -1)

    def _on_picture(self, stream: int, description: int, key: object) -> None:
        """The decoder is through with a unit; runs in the callback thread."""
        job = self._jobs.get(key) if isinstance(key, int) else None
        if job is None or not isinstance(key, int):
            return  # the end of the stream, or a unit that was taken back
        picture: Optional[DevicePicture] = None
        try:
            with job.resources:
                code = self._owner.acl.number("media.dvpp_get_pic_desc_ret_code", description)
                picture = job.picture if code == 0 else None
        except AtlasHpeError as error:
            self._fail(error)
        finally:
            with self._change:
                if self._jobs.pop(key, None) is not None:
                    self._ready.append(picture)
                self._change.notify_all()

    def _take_back(self, key: int) -> None:
        """Undo a unit that the decoder did not take."""
        with self._change:
            job = self._jobs.pop(key, None)
            self._times = [item for item in self._times if item[1] != key]
            heapq.heapify(self._times)
        if job is not None:
            job.resources.close()
            job.picture.release()

    def _release_jobs(self) -> None:
        """Release what the decoder never gave back; the channel is gone by now."""
        with ExitStack() as stack:
            while self._jobs:
                stack.push(self._jobs.popitem()[1].resources)

    def _fail(self, error: AtlasHpeError) -> None:
        """Keep the first error of the callback thread for whoever calls next."""
        with self._change:
            self._failure = self._failure or error
            self._change.notify_all()

    def _check(self) -> None:
        if self._pool.closed:
            raise SessionError("the video decoder is closed")
        if self._failure is not None:
            raise self._failure


@dataclass(frozen=True, eq=False)
class _Job:
    """A unit in the decoder: what to release when it comes back, and where its picture goes."""

    resources: ExitStack
    picture: DevicePicture


def _take_number(stack: ExitStack, owner: DeviceOwner, wanted: Optional[int]) -> int:
    """A number for a channel, free again when the stack unwinds."""
    with owner.acl.lock:
        free = set(range(_CHANNELS)) - owner.video_channels
        number = min(free, default=-1) if wanted is None else wanted
        if number not in free:
            raise UsageError(
                "there is no free channel for another video decoder"
                if wanted is None
                else f"channel {wanted} of the video decoder is in use, or there is none",
                why=f"a device has {_CHANNELS} of them, from 0 on",
                fix="close a video first" if wanted is None else "leave the number out",
            )
        owner.video_channels.add(number)
    stack.callback(owner.video_channels.discard, number)
    return number


def _create_stream_description(stack: ExitStack, owner: DeviceOwner) -> int:
    return acquire(
        stack,
        owner.acl,
        "media.dvpp_create_stream_desc",
        undo="media.dvpp_destroy_stream_desc",
    )
