"""Dynamic profiles: which there are, and which one the next run takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Tuple

import numpy as np

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM
from atlas_hpe_runtime.simulator.mdl.buffers import find_dataset
from atlas_hpe_runtime.simulator.mdl.constants import (
    BATCH_INVALID,
    DYNAMIC_ADDRESS,
    GE_PARAM_INVALID,
    INPUT_LENGTH_INVALID,
    NOT_DYNAMIC,
)
from atlas_hpe_runtime.simulator.mdl.describing import Dims, dims_dict
from atlas_hpe_runtime.simulator.mdl.models import find_desc, find_model
from atlas_hpe_runtime.simulator.mdl.ports import Shape, fill_shape
from atlas_hpe_runtime.simulator.mdl.program import Program

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "get_dynamic_batch",
    "get_dynamic_hw",
    "get_input_dynamic_dims",
    "get_input_dynamic_gear_count",
    "set_dynamic_batch_size",
    "set_dynamic_hw_size",
    "set_input_dynamic_dims",
]


def _program(machine: Machine, desc: int) -> Program:
    model = find_desc(machine, desc).model
    if model is None:
        raise AclFailure(INVALID_PARAM)
    return model.program


def _choices(machine: Machine, desc: int, kind: str) -> Tuple[Shape, ...]:
    program = _program(machine, desc)
    return tuple(program.profiles) if program.kind == kind else ()


@acl_call("acl.mdl.get_dynamic_batch", "k", returns="value+ret", default=dict)
def get_dynamic_batch(machine: Machine, desc: int) -> Dict[str, object]:
    """The batches of a model; none where the batch is fixed."""
    batches = [batch for (batch,) in _choices(machine, desc, "batch")]
    return {"batch": batches, "batchCount": len(batches)}


@acl_call("acl.mdl.get_dynamic_hw", "kk", returns="value+ret", default=dict)
def get_dynamic_hw(machine: Machine, desc: int, index: int) -> Dict[str, object]:
    """The image sizes of a model, as [height, width]; none where the size is fixed."""
    sizes = [list(values) for values in _choices(machine, desc, "image size")]
    return {"hwCount": len(sizes), "hw": sizes}


@acl_call("acl.mdl.get_input_dynamic_gear_count", "kk", returns="value+ret")
def get_input_dynamic_gear_count(machine: Machine, desc: int, index: int) -> int:
    """How many profiles of dynamic dims a model has."""
    return len(_choices(machine, desc, "dims"))


@acl_call("acl.mdl.get_input_dynamic_dims", "kkk", returns="value+ret", default=list)
def get_input_dynamic_dims(machine: Machine, desc: int, index: int, count: int) -> List[Dims]:
    """The profiles of dynamic dims: the sizes of all inputs, one after the other."""
    choices = _choices(machine, desc, "dims")
    if not choices or count != len(choices):
        raise AclFailure(INVALID_PARAM)
    profiles = _program(machine, desc).profiles
    return [dims_dict("", sum(profiles[values].inputs, ())) for values in choices]


@acl_call("acl.mdl.set_dynamic_batch_size", "Ikkk", needs="context")
def set_dynamic_batch_size(
    machine: Machine, model_id: int, dataset: int, index: int, batch: int
) -> None:
    """Choose a batch for the next run with a dataset."""
    _choose(machine, model_id, "batch", (dataset, index), (batch,))


@acl_call("acl.mdl.set_dynamic_hw_size", "Ikkkk", needs="context")
def set_dynamic_hw_size(
    machine: Machine, model_id: int, dataset: int, index: int, height: int, width: int
) -> None:
    """Choose an image size for the next run with a dataset."""
    _choose(machine, model_id, "image size", (dataset, index), (height, width))


@acl_call("acl.mdl.set_input_dynamic_dims", "IkkO", needs="context")
def set_input_dynamic_dims(
    machine: Machine, model_id: int, dataset: int, index: int, dims: object
) -> None:
    """Choose sizes for the next run with a dataset: a dict that ``get_input_dynamic_dims`` gave."""
    sizes = _sizes(dims)
    program = find_model(machine, model_id).program
    free = sum((source.shape for source in program.data), ())
    values = tuple(size for size, axis in zip(sizes, free) if axis == -1)
    if len(sizes) != len(free) or fill_shape(free, values)[0] != sizes:
        raise AclFailure(GE_PARAM_INVALID)
    _choose(machine, model_id, "dims", (dataset, index), values)


def _sizes(dims: object) -> Shape:
    if isinstance(dims, dict):
        sizes, count = dims.get("dims"), dims.get("dimCount")
        if isinstance(sizes, list) and isinstance(count, int) and count == len(sizes):
            numbers = tuple(size for size in sizes if type(size) is int)
            if len(numbers) == count:
                return numbers
    raise TypeError("acl.mdl.set_input_dynamic_dims args parse failed")


def _choose(
    machine: Machine, model_id: int, kind: str, place: Tuple[int, int], values: Shape
) -> None:
    """Write a choice into the hidden input, as the device reads it."""
    model = find_model(machine, model_id)
    program = model.program
    if program.kind != kind:
        raise AclFailure(NOT_DYNAMIC)
    dataset, index = place
    buffers = find_dataset(machine, dataset)
    if index >= len(buffers):
        raise AclFailure(INVALID_PARAM)
    if index != program.choice_port:
        raise AclFailure(GE_PARAM_INVALID)
    profile = program.profiles.get(values)
    if profile is None:
        raise AclFailure(BATCH_INVALID if kind == "batch" else GE_PARAM_INVALID)
    data = np.array(values, "<i8").view(np.uint8)
    if buffers[index].size < data.size:
        raise AclFailure(INPUT_LENGTH_INVALID)
    pointer = buffers[index].pointer
    machine.memory.view(pointer, data.size, "device", DYNAMIC_ADDRESS)[:] = data
    with machine.lock:
        model.current = profile
