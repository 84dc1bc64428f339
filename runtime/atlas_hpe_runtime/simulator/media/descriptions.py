"""``acl.media``: descriptions of pictures, batches of pictures and pieces of a stream.

Calls as in ascend.md section 5.1. A getter with a bad handle gives 0 (10000 for the format).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.media.codes import BAD_PARAMETER
from atlas_hpe_runtime.simulator.media.fields import (
    find,
    make_creator,
    make_destroyer,
    make_getter,
    make_setter,
)
from atlas_hpe_runtime.simulator.media.formats import SOURCE_FORMAT
from atlas_hpe_runtime.simulator.media.limits import MAX_AREAS
from atlas_hpe_runtime.simulator.media.objects import BatchPicDesc, PicDesc, StreamDesc

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "BATCH",
    "PIC",
    "STREAM",
    "create_batch_pic_desc",
    "destroy_batch_pic_desc",
    "get_pic_desc",
]

PIC = "picture description"
BATCH = "batch of picture descriptions"
STREAM = "stream description"

_create_pic = make_creator(__name__, "dvpp_create_pic_desc", PIC, PicDesc, needs="context")
_destroy_pic = make_destroyer(__name__, "dvpp_destroy_pic_desc", PIC)
_set_data = make_setter(__name__, "dvpp_set_pic_desc_data", PIC, "data", "k")
_set_size = make_setter(__name__, "dvpp_set_pic_desc_size", PIC, "size")
_set_format = make_setter(__name__, "dvpp_set_pic_desc_format", PIC, "format", "i")
_set_width = make_setter(__name__, "dvpp_set_pic_desc_width", PIC, "width")
_set_height = make_setter(__name__, "dvpp_set_pic_desc_height", PIC, "height")
_set_columns = make_setter(__name__, "dvpp_set_pic_desc_width_stride", PIC, "width_stride")
_set_rows = make_setter(__name__, "dvpp_set_pic_desc_height_stride", PIC, "height_stride")
_set_code = make_setter(__name__, "dvpp_set_pic_desc_ret_code", PIC, "ret_code")
_get_data = make_getter(__name__, "dvpp_get_pic_desc_data", PIC, "data")
_get_size = make_getter(__name__, "dvpp_get_pic_desc_size", PIC, "size")
_get_format = make_getter(__name__, "dvpp_get_pic_desc_format", PIC, "format", SOURCE_FORMAT)
_get_width = make_getter(__name__, "dvpp_get_pic_desc_width", PIC, "width")
_get_height = make_getter(__name__, "dvpp_get_pic_desc_height", PIC, "height")
_get_columns = make_getter(__name__, "dvpp_get_pic_desc_width_stride", PIC, "width_stride")
_get_rows = make_getter(__name__, "dvpp_get_pic_desc_height_stride", PIC, "height_stride")
_get_code = make_getter(__name__, "dvpp_get_pic_desc_ret_code", PIC, "ret_code")

_create_stream = make_creator(
    __name__, "dvpp_create_stream_desc", STREAM, StreamDesc, needs="context"
)
_destroy_stream = make_destroyer(__name__, "dvpp_destroy_stream_desc", STREAM)
_set_s_data = make_setter(__name__, "dvpp_set_stream_desc_data", STREAM, "data", "k")
_set_s_size = make_setter(__name__, "dvpp_set_stream_desc_size", STREAM, "size")
_set_s_format = make_setter(__name__, "dvpp_set_stream_desc_format", STREAM, "format", "i")
_set_s_time = make_setter(__name__, "dvpp_set_stream_desc_timestamp", STREAM, "timestamp", "K")
_set_s_code = make_setter(__name__, "dvpp_set_stream_desc_ret_code", STREAM, "ret_code")
_set_s_eos = make_setter(__name__, "dvpp_set_stream_desc_eos", STREAM, "eos")
_get_s_data = make_getter(__name__, "dvpp_get_stream_desc_data", STREAM, "data")
_get_s_size = make_getter(__name__, "dvpp_get_stream_desc_size", STREAM, "size")
_get_s_format = make_getter(__name__, "dvpp_get_stream_desc_format", STREAM, "format")
_get_s_time = make_getter(__name__, "dvpp_get_stream_desc_timestamp", STREAM, "timestamp")
_get_s_code = make_getter(__name__, "dvpp_get_stream_desc_ret_code", STREAM, "ret_code")
_get_s_eos = make_getter(__name__, "dvpp_get_stream_desc_eos", STREAM, "eos")


@acl_call("acl.media.dvpp_create_batch_pic_desc", "I", returns="value", needs="context")
def create_batch_pic_desc(machine: Machine, count: int) -> int:
    """Make a batch of 1 to 256 picture descriptions, which belong to it."""
    if not 1 <= count <= MAX_AREAS:
        raise AclFailure(BAD_PARAMETER)
    pictures = [machine.handles.add(PIC, PicDesc(), listed=False) for _ in range(count)]
    return machine.handles.add(BATCH, BatchPicDesc(pictures))


@acl_call("acl.media.dvpp_destroy_batch_pic_desc", "k")
def destroy_batch_pic_desc(machine: Machine, handle: int) -> None:
    """Destroy a batch with its picture descriptions; a null handle is no failure."""
    if not handle:
        return
    batch = find(machine, BATCH, handle, BatchPicDesc)
    machine.handles.remove(BATCH, handle)
    for picture in batch.pictures:
        machine.handles.remove(PIC, picture)


@acl_call("acl.media.dvpp_get_pic_desc", "kI", returns="value")
def get_pic_desc(machine: Machine, handle: int, index: int) -> int:
    """The picture description at an index of a batch."""
    pictures = find(machine, BATCH, handle, BatchPicDesc).pictures
    if index >= len(pictures):
        raise AclFailure(BAD_PARAMETER)
    return pictures[index]
