"""Whether a run can leave decoding and cropping to the device, and all that it then needs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Sequence, Union

from atlas_hpe.card import ModelCard
from atlas_hpe.errors import SourceError, UsageError
from atlas_hpe_pipelines.device_path.crop import HardwareCrop, refuse_card
from atlas_hpe_pipelines.sources.device_video import DeviceVideo, open_device_video
from atlas_hpe_runtime import Session
from atlas_hpe_runtime.acl.dvpp import DvppChannel, Fallback
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.session import BASIS_EMULATED, BASIS_HOST

__all__ = ["DevicePath", "open_device_path"]


class DevicePath:
    """A video that the device decodes, and what cuts the network's input out of it.

    Made by ``open_device_path``. Close it after the last use of its frames and before, or after,
    the session that it was made for.

    Args:
        source: The video.
        hardware: What cuts.
        resources: What to release at the end.
    """

    def __init__(self, source: DeviceVideo, hardware: HardwareCrop, resources: ExitStack) -> None:
        self.source = source
        self.hardware = hardware
        self._resources = resources

    def close(self) -> None:
        """Release the video and the device; calling it again does nothing.

        Raises:
            DeviceError: A release failed; all were carried out.
        """
        self._resources.close()


def open_device_path(
    source: Union[str, Path, int, Sequence[Union[str, Path]]],
    card: ModelCard,
    session: Session,
    decode: str = "auto",
) -> Union[DevicePath, Fallback, None]:
    """Take the device path where it can be taken.

    That is: the model runs on a device, was converted for nv12 of a size that the hardware cuts,
    and the source is a video file that the hardware decodes into the colours of the model's AIPP.

    Args:
        source: What the user named.
        card: The landmark network's card.
        session: Opened and checked against the card; stays the caller's.
        decode: ``"auto"``, ``"host"`` (never) or ``"device"`` (nothing else).

    Returns:
        The path; or why the CPU decodes; or None where nobody could expect the device to: the
        model runs on the host, or ``decode`` is ``"host"``.

    Raises:
        UsageError: ``decode`` is no such word, or is ``"device"`` and the device can't.
        InputError: The file can't be read.
        DeviceError: There is a device, and it failed.
    """
    if decode not in ("auto", "host", "device"):
        raise UsageError(
            f"'{decode}' is no way to decode", where="decode", fix="auto, host or device"
        )
    if decode == "host":
        return None
    found = _open(source, card, session)
    if decode == "device" and isinstance(found, Fallback):
        raise UsageError(
            "the device can't decode and crop this run",
            where="--decode device",
            why=found.reason,
            fix="leave --decode out: then the CPU does what the device can't",
        )
    on_host = session.basis in (BASIS_HOST, BASIS_EMULATED)
    return None if isinstance(found, Fallback) and on_host else found


def _open(
    source: Union[str, Path, int, Sequence[Union[str, Path]]], card: ModelCard, session: Session
) -> Union[DevicePath, Fallback]:
    if not isinstance(session, AclSession):
        return Fallback(f"the model runs on the back-end {session.backend}, not on acl")
    refused = refuse_card(card)
    if refused is not None:
        return refused
    if not isinstance(source, (str, Path)) or not _is_file(source):
        return Fallback("the hardware decodes video files, and the source is none")
    owner = session.device_owner
    with ExitStack() as stack:
        try:
            video = open_device_video(source, acl=owner.acl, device=owner.device)
        except SourceError as error:  # a picture, a list: no video, and perhaps no mistake either
            return Fallback(f"the source is no video: {error.what}")
        stack.callback(video.close)
        if not isinstance(video, DeviceVideo):
            return video.fallback or Fallback("the device does not decode the video")
        aipp = card.preprocess.aipp
        if aipp is None or aipp.matrix != video.matrix:
            return _other_colours(video.matrix, "none" if aipp is None else str(aipp.matrix))
        owner = DeviceOwner.acquire(owner.acl, owner.device)
        stack.callback(owner.release)
        channel = stack.enter_context(DvppChannel(owner))
        hardware = HardwareCrop(channel, card, video.picture_px)
        return DevicePath(video, hardware, stack.pop_all())


def _other_colours(video: str, model: str) -> Fallback:
    """The reason where the video's matrix is not the model's."""
    name, _, extent = video.partition("-")
    options = f"--matrix {name} --range {'full' if extent == 'wide' else 'narrow'}"
    return Fallback(
        f"the video's colours are {video}, the model was converted for {model}; "
        f"convert it with --input nv12 {options}"
    )


def _is_file(source: Union[str, Path]) -> bool:
    try:
        return Path(source).is_file()
    except ValueError:  # a null byte, before Python 3.8
        return False
