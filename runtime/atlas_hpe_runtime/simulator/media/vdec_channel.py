"""An open channel of the video decoder: who sent what, and who is told when it is decoded."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable, Deque, Optional

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.media.annexb import AccessUnit, read_access_unit
from atlas_hpe_runtime.simulator.media.codes import FAILURE, REPORT_TIMEOUT, Refusal
from atlas_hpe_runtime.simulator.media.decoder import VideoDecoder
from atlas_hpe_runtime.simulator.media.formats import Picture, align_up
from atlas_hpe_runtime.simulator.media.limits import Area, check_vdec_size, check_vpc_output
from atlas_hpe_runtime.simulator.media.objects import PicDesc
from atlas_hpe_runtime.simulator.media.planes import Planes, write_picture
from atlas_hpe_runtime.simulator.media.resize import resize_planes
from atlas_hpe_runtime.simulator.reports import Report, ReportQueue

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = ["Sent", "VdecChannel", "VdecSettings"]

#: The chip waits without end for a callback thread that stands still; the simulator does not.
_REPORT_WAIT_S = 30.0
_CALL = "acl.media.vdec_send_frame"


@dataclass(frozen=True)
class VdecSettings:
    """What a channel was opened with.

    Attributes:
        channel_id: Number of the channel.
        codec: ``"h264"`` or ``"hevc"``.
        thread_id: The thread that runs the callbacks.
        callback: Called as ``callback(stream_desc, pic_desc, user_data)``.
        format: NV12 or NV21.
        width: Width of the pictures, 0 for the stream's.
        height: Height of the pictures, 0 for the stream's.
    """

    channel_id: int
    codec: str
    thread_id: int
    callback: Callable[[int, int, object], object]
    format: int
    width: int = 0
    height: int = 0


@dataclass
class Sent:
    """A piece of a stream that was sent and not reported yet.

    Attributes:
        stream_desc: Handle of its description.
        pic_desc: Handle of the picture description, 0 for a frame to be skipped.
        desc: The picture description.
        user_data: Handed to the callback.
        pictures: Pictures that are to come for it.
        why_not: Why it gives no picture; None if it does.
    """

    stream_desc: int
    pic_desc: int
    desc: Optional[PicDesc]
    user_data: object
    pictures: int = 0
    why_not: Optional[str] = None


class VdecChannel:
    """A channel; pictures are given to the pieces in the order in which they were sent.

    The chip tells a piece's own picture, so with B frames its callbacks come in another order.

    Args:
        machine: The machine.
        settings: What it is opened with.
    """

    def __init__(self, machine: Machine, settings: VdecSettings) -> None:
        self.settings = settings
        self._machine = machine
        self._sent: Deque[Sent] = deque()
        self._decoder: Optional[VideoDecoder] = None
        self._entered = False
        self._last: Optional[Report] = None
        self._lock = threading.RLock()
        self._sending = threading.Lock()
        with machine.lock:
            self._queue = machine.reports.setdefault(settings.thread_id, ReportQueue())
            self._queue.streams += 1

    def send(self, sent: Sent, data: bytes) -> None:
        """Send a piece; it is reported later, in the callback thread.

        Raises:
            Refusal: 200006, there is no FFmpeg.
        """
        with self._sending:
            is_fed = self._look_at(sent, read_access_unit(data, self.settings.codec))
            if is_fed and self._decoder is None:
                self._decoder = VideoDecoder(self.settings.codec, self._take_picture, self._give_up)
            with self._lock:
                self._sent.append(sent)
                self._report_ready()
            if is_fed and self._decoder is not None:
                self._decoder.feed(data)

    def _look_at(self, sent: Sent, unit: Optional[AccessUnit]) -> bool:
        """Note what is wrong with a piece, and how many pictures it gives; whether to decode it."""
        sent.pictures = 0
        if unit is None:
            sent.why_not = "the data do not begin with an annex-B start code"
            return False
        if unit.pictures != 1:
            sent.why_not = f"{unit.pictures} pictures in one frame, expected 1"
        self._entered = self._entered or unit.is_entry
        if not self._entered:
            sent.why_not = "the stream has not begun: no key frame was sent"
            return False
        sent.pictures = unit.pictures
        return True

    def finish(self) -> None:
        """Decode what was sent, and wait until all of it was reported.

        Raises:
            AclFailure: 507012, the callback thread did not take its reports for 30 s.
        """
        with self._sending:
            decoder, self._decoder = self._decoder, None
            self._entered = False
            if decoder is not None:
                decoder.finish()
            self._give_up()  # FFmpeg may have ended before the last piece came
        with self._lock:
            last = self._last
        if last is not None and not last.done.wait(_REPORT_WAIT_S):
            raise AclFailure(REPORT_TIMEOUT)

    def close(self) -> None:
        """Finish, and let the callback thread go."""
        try:
            self.finish()
        finally:
            with self._machine.lock:
                self._queue.streams -= 1
                if not self._queue.streams:
                    self._machine.reports.pop(self.settings.thread_id, None)

    def _take_picture(self, planes: Planes) -> None:
        with self._lock:
            if not self._sent:
                return
            sent = self._sent[0]
            sent.pictures -= 1
            if sent.pictures <= 0:
                self._sent.popleft()
                self._report(sent, planes)
                self._report_ready()

    def _report_ready(self) -> None:
        """Report the pieces at the head that no picture will come for."""
        while self._sent and self._sent[0].pictures <= 0:
            self._report(self._sent.popleft(), None)

    def _give_up(self) -> None:
        with self._lock:
            while self._sent:
                self._report(self._sent.popleft(), None)

    def _report(self, sent: Sent, planes: Optional[Planes]) -> None:
        why_not, code = sent.why_not, FAILURE
        if why_not is None and planes is None:
            why_not = "no picture came out of it"
        if sent.desc is not None and planes is not None and why_not is None:
            try:
                self._write(sent.desc, planes)
            except Refusal as refusal:
                why_not, code = refusal.why, refusal.code
            except AclFailure as failure:
                why_not, code = "its memory can't be written", failure.code
        if why_not is not None:
            self._machine.ledger.note(f"{_CALL}: {why_not} (ret_code {code})")
            if sent.desc is not None:
                sent.desc.ret_code = code
        callback = self.settings.callback
        self._last = Report(
            lambda _: callback(sent.stream_desc, sent.pic_desc, sent.user_data), None
        )
        self._queue.put(self._last)

    def _write(self, desc: PicDesc, planes: Planes) -> None:
        height, width = planes.luma.shape
        check_vdec_size(width, height)
        picture = self._target(desc.picture(), width, height)
        check_vpc_output(picture)
        planes = resize_planes(planes, picture.width, picture.height, 0)
        memory = self._machine.memory.view(picture.data, picture.least_size, "device")
        write_picture(memory, picture, planes, Area(0, picture.width - 1, 0, picture.height - 1))
        desc.take(picture)

    def _target(self, asked: Picture, width: int, height: int) -> Picture:
        """The picture as it will be written: what was asked for, else what the stream has."""
        width = asked.width or self.settings.width or width
        height = asked.height or self.settings.height or height
        return replace(
            asked,
            format=self.settings.format,
            width=width,
            height=height,
            width_stride=asked.width_stride or max(32, align_up(width, 16)),
            height_stride=asked.height_stride or align_up(height, 2),
        )
