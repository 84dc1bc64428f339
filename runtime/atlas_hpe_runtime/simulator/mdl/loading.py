"""Loading and unloading models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Tuple

from atlas_hpe.errors import AtlasHpeError, InputError, ModelFileError
from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM
from atlas_hpe_runtime.simulator.mdl.compile import UndeterminedShapeError, compile_program
from atlas_hpe_runtime.simulator.mdl.constants import (
    ADDRESS_INVALID,
    GE_FAILURE,
    GE_PARAM_INVALID,
    PATH_INVALID,
    SHAPE_INVALID,
    SIZE_INVALID,
    SOC_VERSION,
    UNSUPPORTED_FEATURE,
)
from atlas_hpe_runtime.simulator.mdl.models import MODEL, Model, find_model
from atlas_hpe_runtime.simulator.mdl.program import Program
from atlas_hpe_runtime.simulator.model_file import load_simulated_model, read_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "create_config_handle",
    "destroy_config_handle",
    "load_from_file",
    "load_from_file_with_mem",
    "load_from_mem",
    "load_from_mem_with_mem",
    "load_with_config",
    "query_size",
    "query_size_from_mem",
    "set_config_opt",
    "unload",
]

# aclmdlConfigAttr (ascend.md section 1.9) and the load types of acl_mdl.h.
_TYPE, _PATH, _ADDRESS, _SIZE = 1, 2, 3, 4
_WEIGHT, _WEIGHT_SIZE, _WORK, _WORK_SIZE = 5, 6, 7, 8
_NUMBERS = (0, _TYPE, _ADDRESS, _SIZE, _WEIGHT, _WEIGHT_SIZE, _WORK, _WORK_SIZE)
_FROM_FILE, _FROM_FILE_MEM, _FROM_MEM, _FROM_MEM_MEM = 1, 2, 3, 4
_QUEUES = (5, 6)
_CONFIG = "model config"
Space = Tuple[int, int]  # pointer and bytes, pointer 0 for the system's own
_OWN: Space = (0, 0)


@acl_call("acl.mdl.load_from_file", "s", returns="value+ret", needs="context")
def load_from_file(machine: Machine, path: str) -> int:
    """Load a simulated model or an .onnx file."""
    return _load(machine, _from_file(machine, path), _OWN, _OWN)


@acl_call("acl.mdl.load_from_mem", "kk", returns="value+ret", needs="context")
def load_from_mem(machine: Machine, pointer: int, size: int) -> int:
    """Load a model whose file lies in memory."""
    return _load(machine, _from_memory(machine, pointer, size), _OWN, _OWN)


@acl_call("acl.mdl.load_from_file_with_mem", "skkkk", returns="value+ret", needs="context")
def load_from_file_with_mem(
    machine: Machine, path: str, work: int, work_size: int, weight: int, weight_size: int
) -> int:
    """Load a file into memory that the program provides."""
    program = _from_file(machine, path)
    return _load(machine, program, (work, work_size), (weight, weight_size))


@acl_call("acl.mdl.load_from_mem_with_mem", "kkkkkk", returns="value+ret", needs="context")
def load_from_mem_with_mem(
    machine: Machine,
    pointer: int,
    size: int,
    work: int,
    work_size: int,
    weight: int,
    weight_size: int,
) -> int:
    """Load a file that lies in memory into memory that the program provides."""
    program = _from_memory(machine, pointer, size)
    return _load(machine, program, (work, work_size), (weight, weight_size))


@acl_call("acl.mdl.query_size", "s", returns="values+ret", default=(0, 0))
def query_size(machine: Machine, path: str) -> Space:
    """Bytes of work memory and of weights that a file needs; the first one is an estimate."""
    program = _from_file(machine, path)
    return program.work_bytes, program.weight_bytes


@acl_call("acl.mdl.query_size_from_mem", "kk", returns="values+ret", default=(0, 0))
def query_size_from_mem(machine: Machine, pointer: int, size: int) -> Space:
    """The same for a file that lies in memory."""
    program = _from_memory(machine, pointer, size)
    return program.work_bytes, program.weight_bytes


@acl_call("acl.mdl.unload", "I", needs="context")
def unload(machine: Machine, model_id: int) -> None:
    """Give a model back, in the context that loaded it."""
    model = find_model(machine, model_id, here=True)
    machine.handles.remove(MODEL, model_id)
    machine.memory.release(model.reserved)


@acl_call("acl.mdl.create_config_handle", returns="value", since="6.0")
def create_config_handle(machine: Machine) -> int:
    """What ``load_with_config`` is told, empty."""
    return machine.handles.add(_CONFIG, {})


@acl_call("acl.mdl.destroy_config_handle", "k", since="6.0")
def destroy_config_handle(machine: Machine, handle: int) -> None:
    """Give it back."""
    machine.handles.remove(_CONFIG, handle)


@acl_call("acl.mdl.set_config_opt", "kiO", since="6.0")
def set_config_opt(machine: Machine, handle: int, attribute: int, value: object) -> None:
    """Set one attribute: the path is text, all others are numbers."""
    if attribute != _PATH and attribute not in _NUMBERS:
        raise AclFailure(INVALID_PARAM)
    if not isinstance(value, str if attribute == _PATH else int):
        raise TypeError("acl.mdl.set_config_opt args parse failed")
    config = _config(machine, handle)
    with machine.lock:
        config[attribute] = value % (1 << 64) if isinstance(value, int) else value  # as C reads it


@acl_call("acl.mdl.load_with_config", "k", returns="value+ret", needs="context", since="6.0")
def load_with_config(machine: Machine, handle: int) -> int:
    """Load a model as its config says."""
    config = _config(machine, handle)
    kind = config.get(_TYPE)
    if kind in _QUEUES:
        raise AclFailure(UNSUPPORTED_FEATURE)
    if kind in (_FROM_FILE, _FROM_FILE_MEM):
        path = config.get(_PATH)
        if not isinstance(path, str):
            raise AclFailure(INVALID_PARAM)
        program = _from_file(machine, path)
    elif kind in (_FROM_MEM, _FROM_MEM_MEM):
        program = _from_memory(machine, *_space(config, _ADDRESS, _SIZE))
    else:
        raise AclFailure(INVALID_PARAM)
    if kind in (_FROM_FILE, _FROM_MEM):
        return _load(machine, program, _OWN, _OWN)
    work, weight = _space(config, _WORK, _WORK_SIZE), _space(config, _WEIGHT, _WEIGHT_SIZE)
    return _load(machine, program, work, weight)


def _config(machine: Machine, handle: int) -> Dict[int, object]:
    config = machine.handles.get(_CONFIG, handle)
    if not isinstance(config, dict):
        raise AclFailure(INVALID_PARAM)
    return config


def _space(config: Dict[int, object], pointer: int, size: int) -> Space:
    first, second = config.get(pointer, 0), config.get(size, 0)
    if not isinstance(first, int) or not isinstance(second, int):
        raise AclFailure(INVALID_PARAM)
    return first, second


def _from_file(machine: Machine, path: str) -> Program:
    try:
        return _compile(machine, load_simulated_model(path))
    except ModelFileError as error:
        raise _refusal(machine, error) from error
    except InputError as error:
        _explain(machine, error)
        raise AclFailure(PATH_INVALID) from error


def _from_memory(machine: Machine, pointer: int, size: int) -> Program:
    content = machine.memory.view(pointer, size, "host", ADDRESS_INVALID).tobytes()
    try:
        return _compile(machine, read_simulated_model(content))
    except ModelFileError as error:
        raise _refusal(machine, error) from error


def _compile(machine: Machine, model: SimulatedModel) -> Program:
    if not model.onnx:
        raise AclFailure(SIZE_INVALID)
    if model.soc != machine.settings.soc:
        machine.ledger.note(f"the model is for {model.soc}, this is {machine.settings.soc}")
        raise AclFailure(SOC_VERSION)
    try:
        return compile_program(model)
    except AtlasHpeError as error:  # also no onnxruntime: the program can't help it, its user can
        raise _refusal(machine, error) from error


def _refusal(machine: Machine, error: AtlasHpeError) -> AclFailure:
    _explain(machine, error)
    is_shape = isinstance(error, UndeterminedShapeError)
    return AclFailure(SHAPE_INVALID if is_shape else GE_FAILURE)


def _explain(machine: Machine, error: AtlasHpeError) -> None:
    parts = [error.what, error.where, error.why, error.fix]
    machine.ledger.note("; ".join(" ".join(part.split()) for part in parts if part))


def _load(machine: Machine, program: Program, work: Space, weight: Space) -> int:
    reserved = 0
    for (pointer, size), needed in ((work, program.work_bytes), (weight, program.weight_bytes)):
        if not pointer:
            reserved += needed
            continue
        if size < needed:
            raise AclFailure(GE_PARAM_INVALID)
        machine.memory.view(pointer, size, "device", GE_PARAM_INVALID)
    machine.memory.reserve(reserved)
    model = Model(program, machine.context(), reserved)
    return machine.handles.add(MODEL, model, size=reserved)
