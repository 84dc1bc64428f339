"""``acl.media``: areas, and settings of the resize and the JPEG encoder (ascend.md section 5.1)."""

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
from atlas_hpe_runtime.simulator.media.limits import MAX_INTERPOLATION
from atlas_hpe_runtime.simulator.media.objects import JpegeConfig, ResizeConfig, RoiConfig

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = ["JPEGE", "RESIZE", "ROI", "set_interpolation", "set_roi"]

ROI = "area"
RESIZE = "resize configuration"
JPEGE = "JPEG encoder configuration"

_create_roi = make_creator(__name__, "dvpp_create_roi_config", ROI, RoiConfig, "IIII")
_destroy_roi = make_destroyer(__name__, "dvpp_destroy_roi_config", ROI)
_set_left = make_setter(__name__, "dvpp_set_roi_config_left", ROI, "left")
_set_right = make_setter(__name__, "dvpp_set_roi_config_right", ROI, "right")
_set_top = make_setter(__name__, "dvpp_set_roi_config_top", ROI, "top")
_set_bottom = make_setter(__name__, "dvpp_set_roi_config_bottom", ROI, "bottom")

_create_resize = make_creator(__name__, "dvpp_create_resize_config", RESIZE, ResizeConfig)
_destroy_resize = make_destroyer(__name__, "dvpp_destroy_resize_config", RESIZE)
_get_interpolation = make_getter(
    __name__, "dvpp_get_resize_config_interpolation", RESIZE, "interpolation"
)

_create_jpege = make_creator(__name__, "dvpp_create_jpege_config", JPEGE, JpegeConfig)
_destroy_jpege = make_destroyer(__name__, "dvpp_destroy_jpege_config", JPEGE)
_set_level = make_setter(__name__, "dvpp_set_jpege_config_level", JPEGE, "level")
_get_level = make_getter(__name__, "dvpp_get_jpege_config_level", JPEGE, "level")


@acl_call("acl.media.dvpp_set_roi_config", "kIIII")
def set_roi(machine: Machine, handle: int, left: int, right: int, top: int, bottom: int) -> None:
    """Set the four edges of an area."""
    roi = find(machine, ROI, handle, RoiConfig)
    roi.left, roi.right, roi.top, roi.bottom = left, right, top, bottom


@acl_call("acl.media.dvpp_set_resize_config_interpolation", "kI")
def set_interpolation(machine: Machine, handle: int, mode: int) -> None:
    """Choose 0 to 4; any other is 100000 on Ascend 310."""
    config = find(machine, RESIZE, handle, ResizeConfig)
    if mode > MAX_INTERPOLATION:
        raise AclFailure(BAD_PARAMETER)
    config.interpolation = mode
