"""What a program asks about a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional, Tuple, Union

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM
from atlas_hpe_runtime.simulator.mdl.constants import ACL_DTYPES
from atlas_hpe_runtime.simulator.mdl.models import DESC, Desc, Model, find_desc, find_model
from atlas_hpe_runtime.simulator.mdl.ports import Port, Shape

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "Dims",
    "create_desc",
    "destroy_desc",
    "dims_dict",
    "get_cur_output_dims",
    "get_desc",
    "get_input_data_type",
    "get_input_dims",
    "get_input_dims_v2",
    "get_input_format",
    "get_input_index_by_name",
    "get_input_name_by_index",
    "get_input_size_by_index",
    "get_num_inputs",
    "get_num_outputs",
    "get_output_data_type",
    "get_output_dims",
    "get_output_format",
    "get_output_index_by_name",
    "get_output_name_by_index",
    "get_output_size_by_index",
    "get_tensor_real_name",
]

Dims = Dict[str, Union[str, int, List[int]]]

_MAX_NAME = 127  # aclmdlIODims has 128 bytes for a name with its end
_UNDEFINED = -1  # type and format


def dims_dict(name: str, shape: Shape) -> Dims:
    """A shape as pyACL gives it: the fields of aclmdlIODims."""
    return {"name": name, "dimCount": len(shape), "dims": list(shape)}


def _described(machine: Machine, desc: int) -> Model:
    model = find_desc(machine, desc).model
    if model is None:
        raise AclFailure(INVALID_PARAM)
    return model


def _port(machine: Machine, desc: int, index: int, side: str) -> Port:
    program = _described(machine, desc).program
    ports = program.inputs if side == "input" else program.outputs
    if index >= len(ports):
        raise AclFailure(INVALID_PARAM)
    return ports[index]


def _short_name(desc: Desc, name: str, side: str, index: int) -> str:
    """A name as it fits into the fields: a long one is replaced."""
    if len(name.encode("utf-8")) <= _MAX_NAME:
        return name
    return f"acl_modelId_{desc.model_id}_{side}_{index}"


def _dims(machine: Machine, desc: int, index: int, side: str, shape: Shape) -> Dims:
    name = _port(machine, desc, index, side).name
    return dims_dict(_short_name(find_desc(machine, desc), name, side, index), shape)


@acl_call("acl.mdl.create_desc", returns="value")
def create_desc(machine: Machine) -> int:
    """An empty description."""
    return machine.handles.add(DESC, Desc())


@acl_call("acl.mdl.destroy_desc", "k")
def destroy_desc(machine: Machine, desc: int) -> None:
    """Give it back."""
    machine.handles.remove(DESC, desc)


@acl_call("acl.mdl.get_desc", "kI")
def get_desc(machine: Machine, desc: int, model_id: int) -> None:
    """Fill a description."""
    found, model = find_desc(machine, desc), find_model(machine, model_id)
    with machine.lock:
        found.model, found.model_id = model, model_id


@acl_call("acl.mdl.get_num_inputs", "k", returns="value")
def get_num_inputs(machine: Machine, desc: int) -> int:
    """How many inputs there are, hidden ones counted."""
    return len(_described(machine, desc).program.inputs)


@acl_call("acl.mdl.get_num_outputs", "k", returns="value")
def get_num_outputs(machine: Machine, desc: int) -> int:
    """How many outputs there are."""
    return len(_described(machine, desc).program.outputs)


@acl_call("acl.mdl.get_input_size_by_index", "kk", returns="value")
def get_input_size_by_index(machine: Machine, desc: int, index: int) -> int:
    """Bytes of an input, of the largest profile."""
    return _port(machine, desc, index, "input").size


@acl_call("acl.mdl.get_output_size_by_index", "kk", returns="value")
def get_output_size_by_index(machine: Machine, desc: int, index: int) -> int:
    """Bytes of an output, of the largest profile."""
    return _port(machine, desc, index, "output").size


@acl_call("acl.mdl.get_input_dims", "kk", returns="value+ret", default=dict)
def get_input_dims(machine: Machine, desc: int, index: int) -> Dims:
    """Sizes of an input, -1 where a profile decides."""
    shape = _port(machine, desc, index, "input").dims
    return _dims(machine, desc, index, "input", shape)


@acl_call("acl.mdl.get_input_dims_v2", "kk", returns="value+ret", default=dict)
def get_input_dims_v2(machine: Machine, desc: int, index: int) -> Dims:
    """The same, but with static AIPP the sizes of the bytes to feed."""
    shape = _port(machine, desc, index, "input").dims_v2
    return _dims(machine, desc, index, "input", shape)


@acl_call("acl.mdl.get_output_dims", "kk", returns="value+ret", default=dict)
def get_output_dims(machine: Machine, desc: int, index: int) -> Dims:
    """Sizes of an output in the largest profile."""
    shape = _port(machine, desc, index, "output").dims
    return _dims(machine, desc, index, "output", shape)


@acl_call("acl.mdl.get_cur_output_dims", "kk", returns="value+ret", default=dict)
def get_cur_output_dims(machine: Machine, desc: int, index: int) -> Dims:
    """Sizes of an output in the profile that was chosen last."""
    _port(machine, desc, index, "output")
    shape = _described(machine, desc).current.outputs[index]
    return _dims(machine, desc, index, "output", shape)


@acl_call("acl.mdl.get_input_name_by_index", "kk", returns="value", default="")
def get_input_name_by_index(machine: Machine, desc: int, index: int) -> str:
    """The whole name of an input."""
    return _port(machine, desc, index, "input").name


@acl_call("acl.mdl.get_output_name_by_index", "kk", returns="value", default="")
def get_output_name_by_index(machine: Machine, desc: int, index: int) -> str:
    """The whole name of an output, ``node:index:tensor``."""
    return _port(machine, desc, index, "output").name


@acl_call("acl.mdl.get_input_index_by_name", "ks", returns="value+ret")
def get_input_index_by_name(machine: Machine, desc: int, name: str) -> int:
    """The index of an input."""
    return _index(_described(machine, desc).program.inputs, name)


@acl_call("acl.mdl.get_output_index_by_name", "ks", returns="value+ret")
def get_output_index_by_name(machine: Machine, desc: int, name: str) -> int:
    """The index of an output, by its whole name."""
    return _index(_described(machine, desc).program.outputs, name)


def _index(ports: Tuple[Port, ...], name: str) -> int:
    for index, port in enumerate(ports):
        if port.name == name:
            return index
    raise AclFailure(INVALID_PARAM)


@acl_call("acl.mdl.get_tensor_real_name", "ks", returns="value", default=None, since="6.0")
def get_tensor_real_name(machine: Machine, desc: int, name: str) -> Optional[str]:
    """The whole name of a tensor whose name was replaced because of its length."""
    found, program = find_desc(machine, desc), _described(machine, desc).program
    for side, ports in (("input", program.inputs), ("output", program.outputs)):
        for index, port in enumerate(ports):
            if name in (port.name, _short_name(found, port.name, side, index)):
                return port.name
    return None


@acl_call("acl.mdl.get_input_format", "kk", returns="value", default=_UNDEFINED)
def get_input_format(machine: Machine, desc: int, index: int) -> int:
    """The aclFormat of an input."""
    return _port(machine, desc, index, "input").layout


@acl_call("acl.mdl.get_output_format", "kk", returns="value", default=_UNDEFINED)
def get_output_format(machine: Machine, desc: int, index: int) -> int:
    """The aclFormat of an output."""
    return _port(machine, desc, index, "output").layout


@acl_call("acl.mdl.get_input_data_type", "kk", returns="value", default=_UNDEFINED)
def get_input_data_type(machine: Machine, desc: int, index: int) -> int:
    """The aclDataType of an input."""
    return ACL_DTYPES[_port(machine, desc, index, "input").dtype]


@acl_call("acl.mdl.get_output_data_type", "kk", returns="value", default=_UNDEFINED)
def get_output_data_type(machine: Machine, desc: int, index: int) -> int:
    """The aclDataType of an output."""
    return ACL_DTYPES[_port(machine, desc, index, "output").dtype]
