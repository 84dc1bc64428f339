"""Crop and resize on the device: from a decoded picture to what AIPP takes."""

from __future__ import annotations

from typing import Tuple

from atlas_hpe.aipp import CSC_MATRICES
from atlas_hpe_runtime.acl.api import acquire, device_error
from atlas_hpe_runtime.acl.dvpp.channel import DvppChannel
from atlas_hpe_runtime.acl.dvpp.layout import vpc_layout
from atlas_hpe_runtime.acl.dvpp.picture import (
    DevicePicture,
    create_description,
    fill_description,
)
from atlas_hpe_runtime.acl.dvpp.roi import Area, CropPlan

__all__ = ["Cropper"]

#: The chip's own filter. Cropping with pasting knows no other.
_OWN_FILTER = 0


class Cropper:
    """Cuts areas out of pictures on the device.

    Its descriptions are made once and filled anew for every picture. Released with the channel.

    Args:
        channel: The channel to work on.
        border_luma: What the output holds where the picture does not cover it; its chroma is grey.

    Raises:
        DeviceError: The device refused.
    """

    def __init__(self, channel: DvppChannel, border_luma: int = 128) -> None:
        self._channel = channel
        self._border_luma = border_luma
        acl, stack = channel.owner.acl, channel.resources
        with channel.owner:
            self._source = create_description(stack, acl)
            self._target = create_description(stack, acl)
            self._cut = self._make_area()
            self._paste = self._make_area()
            self._filter = acquire(
                stack,
                acl,
                "media.dvpp_create_resize_config",
                undo="media.dvpp_destroy_resize_config",
            )
            acl.call("media.dvpp_set_resize_config_interpolation", self._filter, _OWN_FILTER)

    def make_output(self, size_px: Tuple[int, int], matrix: str) -> DevicePicture:
        """Memory for results of ``crop``, to be used for one picture after the other.

        Args:
            size_px: Width, a multiple of 16 from 32 on, and height, even.
            matrix: How the colours of the pictures are meant.

        Raises:
            DeviceError: The device has no memory left.
        """
        return DevicePicture(self._channel.pool, vpc_layout(*size_px), matrix)

    def crop(self, picture: DevicePicture, plan: CropPlan, out: DevicePicture) -> None:
        """Cut, scale and place an area, and wait until it is done; the CPU sees no pixel.

        Args:
            picture: The decoded picture.
            plan: What to cut, made for the picture's size.
            out: Where it goes, of the plan's size.

        Raises:
            DeviceError: The device refused, or failed.
            SessionError: A picture, or the channel, has been released.
        """
        acl = self._channel.owner.acl
        out.generation += 1
        with self._channel.owner:
            fill_description(acl, self._source, picture)
            fill_description(acl, self._target, out)
            self._set_area(self._cut, plan.cut)
            if plan.fills_output:
                call, last = "media.dvpp_vpc_crop_resize_async", self._filter
            else:
                self._fill_border(out)
                self._set_area(self._paste, plan.paste)
                call, last = "media.dvpp_vpc_crop_and_paste_async", self._paste
            self._channel.run(call, self._source, self._target, self._cut, last)
            code = acl.number("media.dvpp_get_pic_desc_ret_code", self._target)
        if code != 0:
            raise device_error(call, code)

    def _make_area(self) -> int:
        return acquire(
            self._channel.resources,
            self._channel.owner.acl,
            "media.dvpp_create_roi_config",
            *(0, 1, 0, 1),
            undo="media.dvpp_destroy_roi_config",
        )

    def _set_area(self, config: int, area: Area) -> None:
        self._channel.owner.acl.call(
            "media.dvpp_set_roi_config", config, area.left, area.right, area.top, area.bottom
        )

    def _fill_border(self, out: DevicePicture) -> None:
        """Grey everywhere; the picture is pasted over it."""
        layout = out.layout
        luma_bytes = layout.width_stride * layout.height_stride
        grey = CSC_MATRICES[out.matrix].input_bias[1]
        acl = self._channel.owner.acl
        acl.call("rt.memset", out.pointer, luma_bytes, self._border_luma, luma_bytes)
        chroma = layout.size_bytes - luma_bytes
        acl.call("rt.memset", out.pointer + luma_bytes, chroma, grey, chroma)
