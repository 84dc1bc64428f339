"""``acl.media``: decoding video (ascend.md sections 5.1 and 5.5).

Encoding video (``venc_*``) is not simulated: these calls do not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Tuple, cast

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.media.channel import check_dvpp_memory
from atlas_hpe_runtime.simulator.media.codes import (
    BAD_PARAMETER,
    CHANNEL_STILL_OPEN,
    NOT_SUPPORTED,
    Refusal,
    noted,
)
from atlas_hpe_runtime.simulator.media.decoder import find_ffmpeg
from atlas_hpe_runtime.simulator.media.descriptions import PIC, STREAM
from atlas_hpe_runtime.simulator.media.fields import (
    find,
    make_creator,
    make_destroyer,
    make_getter,
    make_setter,
)
from atlas_hpe_runtime.simulator.media.formats import VPC_OUTPUTS
from atlas_hpe_runtime.simulator.media.objects import (
    PicDesc,
    StreamDesc,
    VdecChannelDesc,
    VdecFrameConfig,
)
from atlas_hpe_runtime.simulator.media.vdec_channel import Sent, VdecChannel, VdecSettings

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "create_channel",
    "destroy_channel",
    "destroy_channel_desc",
    "get_callback",
    "send_frame",
    "send_skipped_frame",
    "set_callback",
]

_DESC = "VDEC channel description"
_CHANNEL = "VDEC channel"
_CONFIG = "VDEC frame configuration"
_CODECS = {0: "hevc", 1: "h264", 2: "h264", 3: "h264"}
_SET, _GET = "vdec_set_channel_desc_", "vdec_get_channel_desc_"

_create_desc = make_creator(
    __name__, "vdec_create_channel_desc", _DESC, VdecChannelDesc, needs="context"
)
_create_config = make_creator(
    __name__, "vdec_create_frame_config", _CONFIG, VdecFrameConfig, needs="context"
)
_destroy_config = make_destroyer(__name__, "vdec_destroy_frame_config", _CONFIG)
_set_id = make_setter(__name__, _SET + "channel_id", _DESC, "channel_id")
_set_thread = make_setter(__name__, _SET + "thread_id", _DESC, "thread_id", "K")
_set_entype = make_setter(__name__, _SET + "entype", _DESC, "entype", "i")
_set_format = make_setter(__name__, _SET + "out_pic_format", _DESC, "out_pic_format", "i")
_set_width = make_setter(__name__, _SET + "out_pic_width", _DESC, "out_pic_width")
_set_height = make_setter(__name__, _SET + "out_pic_height", _DESC, "out_pic_height")
_set_frames = make_setter(__name__, _SET + "ref_frame_num", _DESC, "ref_frame_num")
_set_mode = make_setter(__name__, _SET + "out_mode", _DESC, "out_mode")
_set_depth = make_setter(__name__, _SET + "bit_depth", _DESC, "bit_depth")
_get_id = make_getter(__name__, _GET + "channel_id", _DESC, "channel_id")
_get_thread = make_getter(__name__, _GET + "thread_id", _DESC, "thread_id")
_get_entype = make_getter(__name__, _GET + "entype", _DESC, "entype")
_get_format = make_getter(__name__, _GET + "out_pic_format", _DESC, "out_pic_format")
_get_width = make_getter(__name__, _GET + "out_pic_width", _DESC, "out_pic_width")
_get_height = make_getter(__name__, _GET + "out_pic_height", _DESC, "out_pic_height")
_get_frames = make_getter(__name__, _GET + "ref_frame_num", _DESC, "ref_frame_num")
_get_mode = make_getter(__name__, _GET + "out_mode", _DESC, "out_mode")
_get_depth = make_getter(__name__, _GET + "bit_depth", _DESC, "bit_depth")


@acl_call("acl.media.vdec_set_channel_desc_callback", "kO")
def set_callback(machine: Machine, handle: int, callback: object) -> None:
    """Set what is called as ``callback(stream_desc, pic_desc, user_data)`` for each frame."""
    if not callable(callback):
        raise TypeError("parameter must be callable")
    desc = find(machine, _DESC, handle, VdecChannelDesc)
    desc.callback = cast(Callable[[int, int, object], object], callback)


@acl_call("acl.media.vdec_get_channel_desc_callback", "k", returns="value")
def get_callback(machine: Machine, handle: int) -> Callable[[int, int, object], object]:
    """The callback; RuntimeError if there is none."""
    return _need_callback(find(machine, _DESC, handle, VdecChannelDesc))


def _need_callback(desc: VdecChannelDesc) -> Callable[[int, int, object], object]:
    if desc.callback is None:
        raise RuntimeError("did not set callback, failed")
    return desc.callback


@acl_call("acl.media.vdec_create_channel", "k", needs="context")
def create_channel(machine: Machine, handle: int) -> None:
    """Open a channel; callback and callback thread must be set."""
    desc = find(machine, _DESC, handle, VdecChannelDesc)
    with noted(machine, "vdec_create_channel"), machine.lock:
        if desc.open is not None:
            raise Refusal("the channel is open")
        if desc.callback is None or not desc.thread_id:
            raise Refusal("set callback and thread_id first")
        if desc.entype not in _CODECS:
            raise Refusal(f"entype {desc.entype}: expected 0 to 3")
        if desc.out_pic_format not in VPC_OUTPUTS:
            raise Refusal(f"out_pic_format {desc.out_pic_format}: expected 1 (NV12) or 2 (NV21)")
        for _, other in machine.handles.all_of(_CHANNEL):
            if cast(VdecChannel, other).settings.channel_id == desc.channel_id:
                raise Refusal(f"channel {desc.channel_id} is open already")
        find_ffmpeg()
        desc.open = VdecChannel(machine, _settings(desc))
        desc.handle = machine.handles.add(_CHANNEL, desc.open)


def _settings(desc: VdecChannelDesc) -> VdecSettings:
    return VdecSettings(
        desc.channel_id,
        _CODECS[desc.entype],
        desc.thread_id,
        _need_callback(desc),
        desc.out_pic_format,
        desc.out_pic_width,
        desc.out_pic_height,
    )


@acl_call("acl.media.vdec_destroy_channel", "k", needs="context")
def destroy_channel(machine: Machine, handle: int) -> None:
    """Close a channel: all that was sent is decoded and reported before this returns."""
    desc = find(machine, _DESC, handle, VdecChannelDesc)
    with machine.lock:
        channel, desc.open = desc.open, None
    if channel is None:
        raise AclFailure(BAD_PARAMETER)
    try:
        channel.close()
    finally:
        machine.handles.remove(_CHANNEL, desc.handle)


@acl_call("acl.media.vdec_destroy_channel_desc", "k")
def destroy_channel_desc(machine: Machine, handle: int) -> None:
    """Destroy a description; 148051 while its channel is open. A null handle is no failure."""
    if not handle:
        return
    if find(machine, _DESC, handle, VdecChannelDesc).open is not None:
        raise AclFailure(CHANNEL_STILL_OPEN)
    machine.handles.remove(_DESC, handle)


@acl_call("acl.media.vdec_send_frame", "kkkkO", needs="context")
def send_frame(
    machine: Machine,
    handle: int,
    stream_desc: int,
    pic_desc: int,
    config: int,
    user_data: object,
) -> None:
    """Send one frame; the callback later gets both descriptions, and owns them.

    A description with ``eos`` set ends the stream: the call waits until all frames were reported,
    the callback is not called for it, and the next frame begins a new stream.
    """
    with noted(machine, "vdec_send_frame"):
        channel, stream = _open_channel(machine, handle, stream_desc)
        if stream.eos:
            channel.finish()
            return
        desc = find(machine, PIC, pic_desc, PicDesc)
        check_dvpp_memory(machine, desc.data, desc.size)
        data = _read(machine, stream)
        channel.send(Sent(stream_desc, pic_desc, desc, user_data), data)


@acl_call("acl.media.vdec_send_skipped_frame", "kkkO", needs="context")
def send_skipped_frame(
    machine: Machine, handle: int, stream_desc: int, config: int, user_data: object
) -> None:
    """Send a frame that is decoded but not wanted; the callback gets 0 as its picture."""
    with noted(machine, "vdec_send_skipped_frame"):
        channel, stream = _open_channel(machine, handle, stream_desc)
        if stream.eos:
            raise Refusal("the end of the stream can't be skipped", NOT_SUPPORTED)
        channel.send(Sent(stream_desc, 0, None, user_data), _read(machine, stream))


def _open_channel(
    machine: Machine, handle: int, stream_desc: int
) -> Tuple[VdecChannel, StreamDesc]:
    desc = find(machine, _DESC, handle, VdecChannelDesc)
    _need_callback(desc)
    if desc.open is None:
        raise Refusal("the channel is not open")
    return desc.open, find(machine, STREAM, stream_desc, StreamDesc)


def _read(machine: Machine, stream: StreamDesc) -> bytes:
    check_dvpp_memory(machine, stream.data, stream.size)
    return machine.memory.view(stream.data, stream.size, "device").tobytes()
