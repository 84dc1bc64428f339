"""Video files decoded by the device, or by OpenCV where the device can't."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple, Union

from atlas_hpe.errors import AtlasHpeError, MissingExtraError, SourceError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sources.device_frame import DeviceFrame
from atlas_hpe_pipelines.sources.source import RecordedSource
from atlas_hpe_pipelines.sources.video import VideoSource
from atlas_hpe_runtime.acl.api import Acl, load_acl
from atlas_hpe_runtime.acl.dvpp import Fallback, VideoDecoder
from atlas_hpe_runtime.acl.dvpp.annexb import AccessUnit, AnnexBStream
from atlas_hpe_runtime.acl.dvpp.layout import video_layout
from atlas_hpe_runtime.acl.dvpp.limits import refuse_video
from atlas_hpe_runtime.acl.dvpp.video import DecodedPicture
from atlas_hpe_runtime.acl.dvpp.video_header import VideoHeader, find_header
from atlas_hpe_runtime.acl.owner import DeviceOwner

__all__ = ["DeviceVideo", "HostVideo", "open_device_video"]

#: What containers call the codecs of the device, in small letters.
_CODECS: Dict[str, str] = {
    **dict.fromkeys(("avc1", "avc3", "h264", "x264"), "h264"),
    **dict.fromkeys(("hvc1", "hev1", "hevc", "h265", "x265"), "h265"),
}


class HostVideo(RecordedSource):
    """A video that OpenCV decodes though the device was asked for; a ``Source``.

    Args:
        video: The file, opened.
        fallback: Why the device does not decode it.
    """

    def __init__(self, video: VideoSource, fallback: Fallback) -> None:
        self.fallback: Optional[Fallback] = fallback
        self.name, self.warnings = video.name, video.warnings
        self.size_px, self.fps, self.frame_count = video.size_px, video.fps, video.frame_count
        self._video = video

    def frames(self) -> Iterator[Frame]:
        """All frames in order; see ``VideoSource.frames``."""
        return self._video.frames()

    def close(self) -> None:
        """Release the file."""
        self._video.close()


class DeviceVideo(RecordedSource):
    """A video that the device decodes; a ``Source`` of ``DeviceFrame``.

    Made by ``open_device_video``. One thread iterates and closes; frames may be used in any.

    Args:
        video: The file as OpenCV sees it: its name, size and rate.
        units: The access units.
        decoder: The decoder that they go to.
        header: What the stream begins with.
        matrix: How its colours are meant.
        resources: What to release at the end.

    Attributes:
        matrix: How the colours of its pictures are meant, a key of ``atlas_hpe.aipp.CSC_MATRICES``.
        picture_px: Width and height of its pictures on the device, even.
    """

    def __init__(
        self,
        video: VideoSource,
        units: Iterator[AccessUnit],
        decoder: VideoDecoder,
        header: VideoHeader,
        matrix: str,
        resources: ExitStack,
    ) -> None:
        self.fallback: Optional[Fallback] = None
        self.name = video.name
        self.warnings: List[str] = list(video.warnings)
        self.size_px, self.fps, self.frame_count = video.size_px, video.fps, video.frame_count
        self.matrix = matrix
        layout = video_layout(header.width_px, header.height_px)
        self.picture_px = (layout.width_px, layout.height_px)
        self._units = units
        self._decoder = decoder
        self._header = header
        self._resources = resources

    def frames(self) -> Iterator[Frame]:
        """All frames in order; what could not be decoded leaves a warning with the counts.

        Raises:
            SourceError: The video changes its size on the way.
            DeviceError: The device failed.
            SessionError: The source is closed.
        """
        clock = _Clock(self.fps)
        read = 0
        for decoded in self._pictures():
            if not decoded.is_shown:
                continue
            if decoded.picture is None:
                clock.lose()
                continue
            clock.advance(decoded.time_s)
            read += 1
            yield DeviceFrame(clock.index, clock.time_s, decoded.picture, self.size_px)
        if clock.lost:
            self.warnings.append(f"{self.name}: damaged frames left out: {clock.lost}")
        self._compare_counts(read, clock.lost)

    def close(self) -> None:
        """Release the device and the file; calling it again does nothing.

        Raises:
            DeviceError: A release failed; all were carried out.
        """
        self._resources.close()

    def _pictures(self) -> Iterator[DecodedPicture]:
        """What becomes of each unit, in the order of showing."""
        decoder = self._decoder
        unit = self._next_unit()
        while unit is not None:
            while not decoder.wants_more:
                decoded = decoder.receive()
                if decoded is not None:
                    yield decoded
            decoder.send(unit)
            unit = self._next_unit()
        decoder.finish()
        decoded = decoder.receive()
        while decoded is not None:
            yield decoded
            decoded = decoder.receive()

    def _next_unit(self) -> Optional[AccessUnit]:
        try:
            unit = next(self._units, None)
        except SourceError as error:
            self.warnings.append(f"{self.name}: {_in_words(error)}")
            return None
        header = None
        if unit is not None and unit.is_key:
            header = find_header(unit.data, self._header.codec, self.name)
        if header is not None and header != self._header:
            raise SourceError(
                "the video changes its form on the way, which is not supported on the device",
                where=self.name,
                why=f"it began with {self._header}, now it is {header}",
                fix="decode it on the CPU (--decode host), or encode it anew",
            )
        return unit


def open_device_video(
    path: Union[str, Path],
    *,
    acl: Optional[Acl] = None,
    device: int = 0,
    channel_id: Optional[int] = None,
) -> Union[DeviceVideo, HostVideo]:
    """Open a video for decoding on the device.

    Args:
        path: The file.
        acl: The gate to the device, None for the pyACL of this machine.
        device: Number of the device.
        channel_id: Number of the decoder's channel, 0 to 31; None for one that is free.

    Returns:
        A ``Source``. Its ``fallback`` is None where the device decodes; otherwise OpenCV does, and
        it says why: there is no device or no ffmpeg, or the hardware does not take the video.

    Raises:
        InputError: The file can't be read.
        SourceError: It is not a video, or no frame can be decoded.
        UsageError: The channel, or every channel, is in use.
        DeviceError: There is a device, and it failed.
    """
    video = VideoSource(Path(path))
    with ExitStack() as stack:
        stack.callback(video.close)
        found = _open_on_device(video, Path(path), acl, device, channel_id)
        if isinstance(found, Fallback):
            stack.pop_all()
            return HostVideo(video, found)
        return found


def _open_on_device(
    video: VideoSource, path: Path, acl: Optional[Acl], device: int, channel_id: Optional[int]
) -> Union[DeviceVideo, Fallback]:
    codec = _CODECS.get(video.codec.lower())
    if codec is None:
        return Fallback(f"the hardware decodes H.264 and H.265, this is {video.codec or 'unknown'}")
    if video.rotation_deg:
        return Fallback(f"the video is shown turned by {video.rotation_deg} degrees")
    with ExitStack() as stack:
        try:
            gate = load_acl() if acl is None else acl
            stream = AnnexBStream(path, codec)
            stack.callback(stream.close)
            units = iter(stream)
            first = next(units, None)
            header = None if first is None else find_header(first.data, codec, path)
        except (MissingExtraError, SourceError) as error:
            return Fallback(_in_words(error))
        if first is None or header is None:
            return Fallback("the stream does not begin with a picture that stands alone")
        refused = refuse_video(header) or _refuse_size(video, header)
        if refused is not None:
            return refused
        owner = DeviceOwner.acquire(gate, device)
        stack.callback(owner.release)
        # OpenCV decodes all video with BT.601, so this is what networks were trained behind.
        matrix = "bt601-wide" if stream.is_full_range() else "bt601-narrow"
        decoder = stack.enter_context(VideoDecoder(owner, header, matrix, channel_id))
        units = chain([first], units)
        return DeviceVideo(video, units, decoder, header, matrix, stack.pop_all())


def _refuse_size(video: VideoSource, header: VideoHeader) -> Optional[Fallback]:
    size_px = (header.width_px, header.height_px)
    if size_px == video.size_px:
        return None
    return Fallback(f"the pictures are {_show(size_px)} px and shown as {_show(video.size_px)} px")


def _show(size_px: Tuple[int, int]) -> str:
    return "x".join(map(str, size_px))


def _in_words(error: AtlasHpeError) -> str:
    return error.what if error.why is None else f"{error.what} ({error.why})"


class _Clock:
    """Numbers and times of frames that never go back."""

    def __init__(self, fps: float) -> None:
        self.lost = 0
        self.index = -1
        self.time_s = 0.0
        self._fps = fps
        self._gap = 1
        self._begun_s: Optional[float] = None
        self._any = False

    def lose(self) -> None:
        """A frame that was to be shown could not be decoded."""
        self.lost += 1
        self._gap += 1

    def advance(self, time_s: Optional[float]) -> None:
        """A frame comes; ``time_s`` is its time in the file, None where it has none."""
        self.index += self._gap
        if self._begun_s is None:
            self._begun_s = time_s
        if self._any:
            own_s = -1.0 if time_s is None or self._begun_s is None else time_s - self._begun_s
            expected_s = self.time_s + self._gap / self._fps
            self.time_s = own_s if own_s > self.time_s else expected_s
        self._any, self._gap = True, 1
