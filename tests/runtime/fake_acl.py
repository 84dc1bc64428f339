"""The least that a session needs of ``acl``: what a test wants to say about a model is put in."""

from __future__ import annotations

import ctypes
import itertools
from types import ModuleType, SimpleNamespace
from typing import Dict, List, Sequence, Tuple

import numpy as np

from atlas_hpe_runtime.acl.api import Acl

RT_ACTIONS = ["set_device", "reset_device", "set_context", "destroy_context", "destroy_stream"]
RT_ACTIONS += ["destroy_event", "record_event", "stream_wait_event", "reset_event"]
RT_ACTIONS += ["synchronize_stream"]


class FakeModel:
    """A static model that leaves its outputs as they are.

    Args:
        inputs: (name, shape, ACL type number) of each input.
        outputs: As for the inputs.
    """

    def __init__(self, inputs: Sequence[tuple], outputs: Sequence[tuple]) -> None:
        self.ports = {"input": list(inputs), "output": list(outputs)}
        self.real_names: Dict[str, str] = {}
        self.sizes = {0: 4, 1: 2, 3: 4, 4: 1, 9: 8}
        self.calls: List[str] = []


def fake_gate(model: FakeModel, generation: str = "6.0") -> Acl:
    """A gate to a module that has the model, whatever is loaded."""
    numbers = itertools.count(1000)
    blocks: Dict[int, ctypes.Array] = {}

    def new(*args: object) -> Tuple[int, int]:
        return next(numbers), 0

    def malloc(size: int, policy: int) -> Tuple[int, int]:
        block = (ctypes.c_uint8 * size)()
        blocks[ctypes.addressof(block)] = block
        return ctypes.addressof(block), 0

    def memcpy(target: int, room: int, source: int, count: int, kind: int) -> int:
        assert count <= room
        ctypes.memmove(target, source, count)
        return 0

    def handle(*args: object) -> int:
        return next(numbers)

    def done(*args: object) -> int:
        return 0

    acl = ModuleType("acl")
    rt = dict.fromkeys(RT_ACTIONS, done)
    rt.update(dict.fromkeys(("create_context", "create_stream", "create_event"), new))
    rt.update(
        malloc=malloc,
        free=lambda pointer: 0 if blocks.pop(pointer, None) is not None else 107000,
        memcpy=memcpy,
        get_run_mode=lambda: (0, 0),
    )
    mdl = dict.fromkeys(
        ("get_desc", "destroy_desc", "destroy_dataset", "unload", "execute_async"), done
    )
    mdl.update(dict.fromkeys(("load_from_file", "load_from_mem"), new))
    mdl.update(dict.fromkeys(("create_desc", "create_dataset"), handle))
    mdl.update(
        add_dataset_buffer=lambda dataset, buffer: (dataset, 0),
        get_tensor_real_name=lambda desc, name: model.real_names[name],
    )
    for side, ports in model.ports.items():
        mdl.update(_describe(model, side, ports))
    util = {"bytes_to_ptr": lambda data: 1, "numpy_to_ptr": lambda array: array.ctypes.data}
    if generation == "5.0":
        del util["bytes_to_ptr"]
    top = {"init": done, "finalize": done, "create_data_buffer": handle}
    top.update(destroy_data_buffer=done, update_data_buffer=done)
    for name, functions in (("", top), ("rt", rt), ("mdl", mdl), ("util", util)):
        counted = {key: _counted(model, f"{name}.{key}", value) for key, value in functions.items()}
        if name:
            setattr(acl, name, SimpleNamespace(**counted))
        else:
            vars(acl).update(counted)
    return Acl(acl)


def _describe(model: FakeModel, side: str, ports: List[tuple]) -> Dict[str, object]:
    def dims(desc: int, index: int) -> Tuple[dict, int]:
        shape = ports[index][1]
        return {"name": ports[index][0], "dimCount": len(shape), "dims": list(shape)}, 0

    def size(desc: int, index: int) -> int:
        _, shape, number = ports[index]
        return int(np.prod(shape)) * model.sizes.get(number, 1)

    return {
        f"get_num_{side}s": lambda desc: len(ports),
        f"get_{side}_dims": dims,
        f"get_{side}_name_by_index": lambda desc, index: ports[index][0],
        f"get_{side}_data_type": lambda desc, index: ports[index][2],
        f"get_{side}_format": lambda desc, index: 0,
        f"get_{side}_size_by_index": size,
    }


def _counted(model: FakeModel, name: str, function: object) -> object:
    def call(*args: object) -> object:
        model.calls.append(name.lstrip("."))
        return function(*args)  # type: ignore[operator]

    return call
