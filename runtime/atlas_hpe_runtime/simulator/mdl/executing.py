"""Running a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence, Tuple

import numpy as np

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.mdl.buffers import find_dataset
from atlas_hpe_runtime.simulator.mdl.constants import (
    EXECUTE_FAILED,
    INPUT_MISMATCH,
    OUTPUT_MISMATCH,
)
from atlas_hpe_runtime.simulator.mdl.models import find_model
from atlas_hpe_runtime.simulator.mdl.program import Program

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "execute",
    "execute_async",
]

Spaces = Tuple[Tuple[int, int], ...]  # pointer and bytes of each buffer


@acl_call("acl.mdl.execute", "Ikk", needs="context")
def execute(machine: Machine, model_id: int, inputs: int, outputs: int) -> None:
    """Run a model and wait."""
    program, sources, results = _prepare(machine, model_id, inputs, outputs)
    _run(machine, program, sources, results)


@acl_call("acl.mdl.execute_async", "Ikkk", needs="context")
def execute_async(machine: Machine, model_id: int, inputs: int, outputs: int, stream: int) -> None:
    """Let a stream run a model; memory is read and written when its turn comes."""
    queue = machine.stream(stream)
    program, sources, results = _prepare(machine, model_id, inputs, outputs)
    queue.submit(lambda: _run(machine, program, sources, results))


def _prepare(
    machine: Machine, model_id: int, inputs: int, outputs: int
) -> Tuple[Program, Spaces, Spaces]:
    program = find_model(machine, model_id, here=True).program
    spaces = []
    for dataset, ports, mismatch in (
        (inputs, program.inputs, INPUT_MISMATCH),
        (outputs, program.outputs, OUTPUT_MISMATCH),
    ):
        buffers = find_dataset(machine, dataset)
        if len(buffers) != len(ports):
            machine.ledger.note(f"a dataset of {len(buffers)} buffers for {len(ports)} tensors")
            raise AclFailure(mismatch)
        spaces.append(tuple((buffer.pointer, buffer.size) for buffer in buffers))
    return program, spaces[0], spaces[1]


def _run(machine: Machine, program: Program, inputs: Spaces, outputs: Spaces) -> None:
    sources, results = _reach(machine, inputs), _reach(machine, outputs)
    profile = program.largest
    if program.choice_port is not None:
        _check_sizes(machine, sources[-1:], (program.inputs[-1].size,), INPUT_MISMATCH)
        profile = program.chosen(sources[-1])
    _check_sizes(machine, sources, profile.input_sizes, INPUT_MISMATCH)
    _check_sizes(machine, results, profile.output_sizes, OUTPUT_MISMATCH)
    try:
        arrays = program.run(profile, sources)
    except AtlasHpeError as error:
        machine.ledger.note(" ".join(f"{error.what}: {error.why or ''}".split()).rstrip(":"))
        raise AclFailure(EXECUTE_FAILED) from error
    for array, result in zip(arrays, results):
        result[: array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _reach(machine: Machine, spaces: Spaces) -> Sequence[np.ndarray]:
    view = machine.memory.view
    return [view(pointer, size, "device", EXECUTE_FAILED) for pointer, size in spaces]


def _check_sizes(
    machine: Machine, buffers: Sequence[np.ndarray], sizes: Sequence[int], mismatch: int
) -> None:
    for index, (buffer, size) in enumerate(zip(buffers, sizes)):
        if buffer.size < size:
            machine.ledger.note(f"buffer {index} has {buffer.size} bytes, the model needs {size}")
            raise AclFailure(mismatch)
