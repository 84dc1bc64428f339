"""Settings of dynamic AIPP, which a program gives for each run (ascend.md sections 1.3, 4.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

import numpy as np

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM
from atlas_hpe_runtime.simulator.mdl.aipp_record import (
    HEADER,
    INPUT_FORMATS,
    RECORD,
    record_size,
)
from atlas_hpe_runtime.simulator.mdl.buffers import find_dataset
from atlas_hpe_runtime.simulator.mdl.constants import (
    AIPP_MISSING,
    DYNAMIC_ADDRESS,
    INPUT_LENGTH_INVALID,
    UNSUPPORTED_FEATURE,
)
from atlas_hpe_runtime.simulator.mdl.models import find_model

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "AippSettings",
    "create_aipp",
    "destroy_aipp",
    "set_aipp_ax_swap_switch",
    "set_aipp_by_input_index",
    "set_aipp_crop_params",
    "set_aipp_csc_params",
    "set_aipp_dtc_pixel_mean",
    "set_aipp_dtc_pixel_min",
    "set_aipp_input_format",
    "set_aipp_padding_params",
    "set_aipp_pixel_var_reci",
    "set_aipp_rbuv_swap_switch",
    "set_aipp_scf_params",
    "set_aipp_src_image_size",
    "set_input_aipp",
]

_AIPP = "AIPP settings"
_MAX_BATCH = 127  # the batch count is a signed byte


class AippSettings:
    """The memory of the hidden input, as it will be written.

    Args:
        batch: How many pictures.
    """

    def __init__(self, batch: int) -> None:
        self.data = np.zeros(record_size(batch), np.uint8)
        self.header = self.data[: HEADER.itemsize].view(HEADER)
        self.pictures = self.data[HEADER.itemsize :].view(RECORD)
        self.header["batch_count"] = batch
        self.pictures["var_reci"] = 1


def _settings(machine: Machine, handle: int) -> AippSettings:
    settings = machine.handles.get(_AIPP, handle)
    if not isinstance(settings, AippSettings):
        raise AclFailure(INVALID_PARAM)
    return settings


def _switch(value: int) -> int:
    if value not in (0, 1):
        raise AclFailure(INVALID_PARAM)
    return value


def _levels(*values: float) -> Sequence[float]:
    """What is subtracted from a pixel: 0 to 255, as the pages of both setters say (CANN 8.0.0)."""
    if not all(0 <= value <= 255 for value in values):
        raise AclFailure(INVALID_PARAM)
    return values


def _set(machine: Machine, handle: int, index: int, field: str, values: Sequence[float]) -> None:
    """Set four numbers of one picture."""
    pictures = _settings(machine, handle).pictures
    if index >= pictures.size:
        raise AclFailure(INVALID_PARAM)
    with np.errstate(over="ignore"):
        pictures[field][index] = values


@acl_call("acl.mdl.create_aipp", "k", returns="value")
def create_aipp(machine: Machine, batch: int) -> int:
    """Settings for so many pictures: no conversion, mean 0, factor 1."""
    if not 0 < batch <= _MAX_BATCH:
        raise AclFailure(INVALID_PARAM)
    return machine.handles.add(_AIPP, AippSettings(batch))


@acl_call("acl.mdl.destroy_aipp", "k")
def destroy_aipp(machine: Machine, handle: int) -> None:
    """Give them back."""
    machine.handles.remove(_AIPP, handle)


@acl_call("acl.mdl.set_aipp_input_format", "ki")
def set_aipp_input_format(machine: Machine, handle: int, number: int) -> None:
    """Form of the pictures; the chip knows fewer than the interface."""
    settings = _settings(machine, handle)
    if number not in INPUT_FORMATS:
        raise AclFailure(INVALID_PARAM)
    settings.header["input_format"] = number


@acl_call("acl.mdl.set_aipp_csc_params", "kihhhhhhhhhiiiiii")
def set_aipp_csc_params(machine: Machine, handle: int, switch: int, *numbers: int) -> None:
    """Colour matrix by rows, then the output bias, then the input bias."""
    settings, biases = _settings(machine, handle), numbers[9:]
    if not all(0 <= bias <= 255 for bias in biases):
        raise AclFailure(INVALID_PARAM)
    settings.header["csc_switch"] = _switch(switch)
    settings.header["matrix"] = numbers[:9]
    settings.header["output_bias"] = biases[:3]
    settings.header["input_bias"] = biases[3:]


@acl_call("acl.mdl.set_aipp_rbuv_swap_switch", "ki")
def set_aipp_rbuv_swap_switch(machine: Machine, handle: int, switch: int) -> None:
    """Whether R and B, or U and V, change places."""
    _settings(machine, handle).header["rbuv_swap_switch"] = _switch(switch)


@acl_call("acl.mdl.set_aipp_ax_swap_switch", "ki")
def set_aipp_ax_swap_switch(machine: Machine, handle: int, switch: int) -> None:
    """Whether X R G B becomes R G B X."""
    _settings(machine, handle).header["ax_swap_switch"] = _switch(switch)


@acl_call("acl.mdl.set_aipp_src_image_size", "kii")
def set_aipp_src_image_size(machine: Machine, handle: int, width: int, height: int) -> None:
    """Size of the pictures; it has to be set."""
    settings = _settings(machine, handle)
    if width < 1 or height < 1:
        raise AclFailure(INVALID_PARAM)
    settings.header["src_image_size_w"], settings.header["src_image_size_h"] = width, height


@acl_call("acl.mdl.set_aipp_scf_params", "kiiiiik")
def set_aipp_scf_params(
    machine: Machine,
    handle: int,
    switch: int,
    in_width: int,
    in_height: int,
    out_width: int,
    out_height: int,
    index: int,
) -> None:
    """Resize, which this chip does not have (ascend.md section 4.1)."""
    if _switch(switch):
        raise AclFailure(UNSUPPORTED_FEATURE)
    sizes = (in_width, in_height, out_width, out_height)
    _set(machine, handle, index, "scf_values", sizes)


@acl_call("acl.mdl.set_aipp_crop_params", "kiiiiik")
def set_aipp_crop_params(
    machine: Machine,
    handle: int,
    switch: int,
    left: int,
    top: int,
    width: int,
    height: int,
    index: int,
) -> None:
    """Crop of one picture."""
    _set(machine, handle, index, "crop_values", (left, top, width, height))
    _settings(machine, handle).pictures["crop"][index] = _switch(switch)


@acl_call("acl.mdl.set_aipp_padding_params", "kiiiiik")
def set_aipp_padding_params(
    machine: Machine,
    handle: int,
    switch: int,
    top: int,
    bottom: int,
    left: int,
    right: int,
    index: int,
) -> None:
    """Padding of one picture."""
    _set(machine, handle, index, "padding_values", (top, bottom, left, right))
    _settings(machine, handle).pictures["padding"][index] = _switch(switch)


@acl_call("acl.mdl.set_aipp_dtc_pixel_mean", "khhhhk")
def set_aipp_dtc_pixel_mean(
    machine: Machine, handle: int, c0: int, c1: int, c2: int, c3: int, index: int
) -> None:
    """Mean of each channel of one picture."""
    _set(machine, handle, index, "mean", _levels(c0, c1, c2, c3))


@acl_call("acl.mdl.set_aipp_dtc_pixel_min", "kffffk")
def set_aipp_dtc_pixel_min(
    machine: Machine, handle: int, c0: float, c1: float, c2: float, c3: float, index: int
) -> None:
    """What is subtracted besides, as fp16."""
    _set(machine, handle, index, "minimum", _levels(c0, c1, c2, c3))


@acl_call("acl.mdl.set_aipp_pixel_var_reci", "kffffk")
def set_aipp_pixel_var_reci(
    machine: Machine, handle: int, c0: float, c1: float, c2: float, c3: float, index: int
) -> None:
    """Factor of each channel of one picture, as fp16."""
    _set(machine, handle, index, "var_reci", (c0, c1, c2, c3))


@acl_call("acl.mdl.set_input_aipp", "Ikkk", needs="context")
def set_input_aipp(machine: Machine, model_id: int, dataset: int, index: int, handle: int) -> None:
    """Write settings into the hidden input at an index."""
    program = find_model(machine, model_id).program
    if index not in {source.record for source in program.data}:
        raise AclFailure(AIPP_MISSING)
    _write(machine, dataset, index, _settings(machine, handle))


@acl_call("acl.mdl.set_aipp_by_input_index", "Ikkk", needs="context")
def set_aipp_by_input_index(
    machine: Machine, model_id: int, dataset: int, index: int, handle: int
) -> None:
    """Write settings into the hidden input of the picture input at an index."""
    data = find_model(machine, model_id).program.data
    record = data[index].record if index < len(data) else None
    if record is None:
        raise AclFailure(AIPP_MISSING)
    _write(machine, dataset, record, _settings(machine, handle))


def _write(machine: Machine, dataset: int, index: int, settings: AippSettings) -> None:
    buffers = find_dataset(machine, dataset)
    if index >= len(buffers) or not settings.header["src_image_size_w"][0]:
        raise AclFailure(INVALID_PARAM)
    data = settings.data
    if buffers[index].size < data.size:
        raise AclFailure(INPUT_LENGTH_INVALID)
    pointer = buffers[index].pointer
    machine.memory.view(pointer, data.size, "device", DYNAMIC_ADDRESS)[:] = data
