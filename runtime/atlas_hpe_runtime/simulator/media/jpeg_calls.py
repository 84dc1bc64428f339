"""``acl.media``: JPEG files (ascend.md sections 5.1 and 5.4)."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Tuple

import numpy as np

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.media.channel import check_channel, check_dvpp_memory
from atlas_hpe_runtime.simulator.media.codes import (
    BAD_PARAMETER,
    FAILURE,
    FORMAT_MISMATCH,
    UNALIGNED,
    UNSUPPORTED_JPEG,
    Refusal,
    noted,
)
from atlas_hpe_runtime.simulator.media.configs import JPEGE
from atlas_hpe_runtime.simulator.media.descriptions import PIC
from atlas_hpe_runtime.simulator.media.fields import find
from atlas_hpe_runtime.simulator.media.formats import NV12, NV21, Picture, align_up
from atlas_hpe_runtime.simulator.media.jpeg import decode_jpeg, encode_jpeg
from atlas_hpe_runtime.simulator.media.jpeg_file import JpegHead, read_jpeg_head
from atlas_hpe_runtime.simulator.media.limits import (
    Area,
    check_jpegd_size,
    check_jpege_input,
    jpege_size,
)
from atlas_hpe_runtime.simulator.media.objects import JpegeConfig, PicDesc
from atlas_hpe_runtime.simulator.media.planes import read_picture, to_420, write_picture

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "decode",
    "encode",
    "image_info",
    "image_info_v2",
    "predict_decoded_size",
    "predict_encoded_size",
]

# What JPEGD writes on Ascend 310 is a multiple of these.
_WIDTH_STEP, _HEIGHT_STEP = 128, 16
_INPUT_ALIGNMENT = 128
_MAX_LEVEL = 100


def _read_head(machine: Machine, pointer: int, size: int) -> JpegHead:
    if not pointer:
        raise AclFailure(BAD_PARAMETER)
    return read_jpeg_head(machine.memory.view(pointer, size, "host").tobytes())


@acl_call("acl.media.dvpp_jpeg_get_image_info", "kI", returns="values+ret", default=(0, 0, 0))
def image_info(machine: Machine, pointer: int, size: int) -> Tuple[int, int, int]:
    """Width, height and components of a file in the program's memory, turned as EXIF asks."""
    head = _read_head(machine, pointer, size)
    return (*head.size, head.components)


@acl_call(
    "acl.media.dvpp_jpeg_get_image_info_v2",
    "kI",
    returns="values+ret",
    default=(0, 0, 0, 1000),
)
def image_info_v2(machine: Machine, pointer: int, size: int) -> Tuple[int, int, int, int]:
    """As ``image_info``, and the sampling: 0 4:4:4, 1 4:2:2, 2 4:2:0, 3 grey, 4 4:4:0."""
    head = _read_head(machine, pointer, size)
    return (*head.size, head.components, head.sampling)


@acl_call("acl.media.dvpp_jpeg_predict_dec_size", "kIi", returns="value+ret")
def predict_decoded_size(machine: Machine, pointer: int, size: int, pixel_format: int) -> int:
    """Bytes that a file in the program's memory takes when decoded.

    NV12 and NV21 only: the simulator has no output in the sampling of the file (10000).
    """
    with noted(machine, "dvpp_jpeg_predict_dec_size"):
        _check_output_format(pixel_format)
        head = _read_head(machine, pointer, size)
        _check_head(head)
        return _decoded(PicDesc(format=pixel_format).picture(), head.size).least_size


def _check_output_format(pixel_format: int) -> None:
    if pixel_format not in (NV12, NV21):
        raise Refusal(f"JPEGD does not write format {pixel_format}", FORMAT_MISMATCH)


def _check_head(head: JpegHead) -> None:
    if not head.is_supported:
        raise Refusal("JPEGD takes baseline files of 8 bit in Y, Cb, Cr", UNSUPPORTED_JPEG)
    check_jpegd_size(*head.size)


def _decoded(picture: Picture, size: Tuple[int, int]) -> Picture:
    """What JPEGD writes: even sides, strides of 128 and 16."""
    return replace(
        picture,
        width=align_up(size[0], 2),
        height=align_up(size[1], 2),
        width_stride=align_up(size[0], _WIDTH_STEP),
        height_stride=align_up(size[1], _HEIGHT_STEP),
    )


@acl_call("acl.media.dvpp_jpeg_decode_async", "kkIkk", needs="context")
def decode(
    machine: Machine, channel: int, pointer: int, size: int, output: int, stream: int
) -> None:
    """Decode a file in DVPP memory; sides and strides are written into the description.

    What is wrong with the file itself comes out of ``synchronize_stream``.
    """
    with noted(machine, "dvpp_jpeg_decode_async"):
        check_channel(machine, channel)
        desc = find(machine, PIC, output, PicDesc)
        _check_output_format(desc.format)
        check_dvpp_memory(machine, pointer, size)
        check_dvpp_memory(machine, desc.data, desc.size)
        if pointer % _INPUT_ALIGNMENT:
            raise Refusal(f"address {pointer:#x} is no multiple of 128", UNALIGNED)
        if desc.data % 16:
            raise Refusal(f"address {desc.data:#x} is no multiple of 16", UNALIGNED)
    asked = desc.picture()

    def work() -> None:
        desc.ret_code = FAILURE
        with noted(machine, "dvpp_jpeg_decode_async"):
            _decode(machine, pointer, size, asked, desc)

    machine.stream(stream).submit(work)


def _decode(machine: Machine, pointer: int, size: int, asked: Picture, desc: PicDesc) -> None:
    data = machine.memory.view(pointer, size, "device").tobytes()
    head = read_jpeg_head(data)
    _check_head(head)
    picture = _decoded(asked, head.size)
    _check_asked(asked, picture, head)
    planes = decode_jpeg(data)
    memory = machine.memory.view(picture.data, picture.least_size, "device")
    write_picture(memory, picture, planes, Area(0, picture.width - 1, 0, picture.height - 1))
    desc.take(picture)


def _check_asked(asked: Picture, picture: Picture, head: JpegHead) -> None:
    """Sides and strides of the description are 0, or those that JPEGD will write."""
    pairs = (
        ("width", asked.width, (picture.width, head.size[0])),
        ("height", asked.height, (picture.height, head.size[1])),
        ("width stride", asked.width_stride, (picture.width_stride,)),
        ("height stride", asked.height_stride, (picture.height_stride,)),
    )
    for name, value, allowed in pairs:
        if value and value not in allowed:
            raise Refusal(f"the output's {name} is {value}, JPEGD writes {allowed[0]}")
    if asked.size < picture.least_size:
        raise Refusal(f"the output has {asked.size} bytes, JPEGD writes {picture.least_size}")


@acl_call("acl.media.dvpp_jpeg_predict_enc_size", "kk", returns="value+ret")
def predict_encoded_size(machine: Machine, source: int, config: int) -> int:
    """Bytes to set aside for the file of a picture."""
    with noted(machine, "dvpp_jpeg_predict_enc_size"):
        find(machine, JPEGE, config, JpegeConfig)
        picture = find(machine, PIC, source, PicDesc).picture()
        check_jpege_input(picture)
        return jpege_size(picture)


@acl_call("acl.media.dvpp_jpeg_encode_async", "kkkkkk", needs="context")
def encode(
    machine: Machine,
    channel: int,
    source: int,
    pointer: int,
    size_pointer: int,
    config: int,
    stream: int,
) -> None:
    """Encode a picture; the uint32 at ``size_pointer`` holds the room, then the file's size."""
    with noted(machine, "dvpp_jpeg_encode_async"):
        check_channel(machine, channel)
        level = find(machine, JPEGE, config, JpegeConfig).level
        picture = find(machine, PIC, source, PicDesc).picture()
        check_jpege_input(picture)
        if picture.size < picture.least_size:
            raise Refusal(f"{picture.size} bytes, the strides need {picture.least_size}")
        if level > _MAX_LEVEL:
            raise Refusal(f"level {level}: expected 0 to 100")
        if not size_pointer:
            raise AclFailure(BAD_PARAMETER)
        size_view = machine.memory.view(size_pointer, 4, "host")
        room = int(struct.unpack("<I", size_view.tobytes())[0])
        check_dvpp_memory(machine, picture.data, picture.least_size)
        check_dvpp_memory(machine, pointer, room)
        if picture.data % 16:
            raise Refusal(f"address {picture.data:#x} is no multiple of 16", UNALIGNED)

    def work() -> None:
        memory = machine.memory.view(picture.data, picture.least_size, "device")
        file = encode_jpeg(to_420(read_picture(memory, picture)), level)
        if len(file) > room:
            raise AclFailure(FAILURE)
        output = machine.memory.view(pointer, len(file), "device")
        output[:] = np.frombuffer(file, np.uint8)
        size_view[:] = np.frombuffer(struct.pack("<I", len(file)), np.uint8)

    machine.stream(stream).submit(work)
