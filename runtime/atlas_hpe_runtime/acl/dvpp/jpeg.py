"""JPEG files decoded on the device."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Optional, Union

import numpy as np

from atlas_hpe_runtime.acl.api import device_error
from atlas_hpe_runtime.acl.dvpp.channel import DvppChannel
from atlas_hpe_runtime.acl.dvpp.fallback import Fallback
from atlas_hpe_runtime.acl.dvpp.jpeg_header import read_jpeg_header
from atlas_hpe_runtime.acl.dvpp.layout import align, jpeg_layout
from atlas_hpe_runtime.acl.dvpp.limits import refuse_jpeg
from atlas_hpe_runtime.acl.dvpp.picture import (
    DevicePicture,
    create_description,
    fill_description,
)
from atlas_hpe_runtime.acl.memory import DeviceBuffer, write_array

__all__ = ["JPEG_MATRIX", "decode_jpeg"]

#: Colours of a JPEG file: BT.601 in the full range (JFIF 1.02; ascend.md section 4.5).
JPEG_MATRIX = "bt601-wide"
#: The decoder wants its input at a multiple of this (ascend.md section 5.4).
_INPUT_STEP = 128


def decode_jpeg(
    channel: DvppChannel, data: bytes, where: Optional[object] = None
) -> Union[DevicePicture, Fallback]:
    """Decode a JPEG file into device memory and wait until it is done.

    Args:
        channel: The channel to work on; its memory holds the picture.
        data: The file's content.
        where: What the user knows the file by.

    Returns:
        The picture, or why the hardware does not take the file.

    Raises:
        SourceError: It is no JPEG file, or its header is damaged.
        DeviceError: The device refused, or failed.
        SessionError: The channel is closed.
    """
    header = read_jpeg_header(data, where)
    refused = refuse_jpeg(header)
    if refused is not None:
        return refused
    acl = channel.owner.acl
    with channel.owner, ExitStack() as stack:
        size_bytes = align(len(data), _INPUT_STEP) + _INPUT_STEP
        block = channel.pool.take(size_bytes)
        stack.callback(channel.pool.give_back, block, size_bytes)
        coded = align(block, _INPUT_STEP)
        content = np.frombuffer(data, np.uint8)
        write_array(channel.owner, DeviceBuffer(coded, len(data)), content)
        layout = jpeg_layout(header.width_px, header.height_px)
        picture = DevicePicture(channel.pool, layout, JPEG_MATRIX)
        description = create_description(stack, acl)
        fill_description(acl, description, picture)
        channel.run("media.dvpp_jpeg_decode_async", coded, len(data), description)
        code = acl.number("media.dvpp_get_pic_desc_ret_code", description)
    if code != 0:
        raise device_error("media.dvpp_jpeg_decode_async", code, where)
    return picture
