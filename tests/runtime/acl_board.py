"""A simulated board for tests of the pyACL back-end, and small models to run on it."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, Sequence, Tuple

import numpy as np

import tiny_onnx
from atlas_hpe_runtime.acl.api import Acl
from atlas_hpe_runtime.acl.owner import finalise
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.backends import SessionOptions
from atlas_hpe_runtime.simulator.install import build_acl
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

MODES = [("rc", "5.0"), ("rc", "6.0"), ("ep", "5.0"), ("ep", "6.0")]


class Board:
    """A machine, its gate, and what was called through it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.acl = Acl(build_acl(machine), simulated=True)

    def open(self, model: object, **options: object) -> AclSession:
        return AclSession(self.acl, model, SessionOptions(**options))  # type: ignore[arg-type]

    def live(self) -> Dict[str, int]:
        """Kinds of what is not released, ACL's own initialisation left out."""
        return dict(
            Counter(item.kind for item in self.machine.ledger.live() if item.kind != "init")
        )

    @property
    def counts(self) -> Dict[str, int]:
        return dict(self.machine.faults.counts())


@contextmanager
def simulated_board(
    mode: str = "rc", cann: str = "6.0", fail: str = "", devices: int = 1
) -> Iterator[Board]:
    """A board on which nothing may be left, and nothing may have been misused, at the end."""
    machine = Machine(SimulatorSettings(mode=mode, cann=cann, fail=fail, devices=devices))
    board = Board(machine)
    try:
        yield board
        assert board.live() == {}
        finalise(board.acl)
        assert machine.ledger.live() == ()
    finally:
        machine.close()


def graph(
    op_type: str,
    shape: Sequence[object],
    dtype: str = "float32",
    out_shape: Optional[Sequence[object]] = None,
    names: Tuple[str, str] = ("x", "y"),
    **attributes: tiny_onnx.Attribute,
) -> bytes:
    """A model of one node, x -> y."""
    return tiny_onnx.model(
        [tiny_onnx.node(op_type, [names[0]], [names[1]], **attributes)],
        {names[0]: shape},  # type: ignore[dict-item]
        {names[1]: shape if out_shape is None else out_shape},  # type: ignore[dict-item]
        dtypes={names[0]: dtype, names[1]: dtype},
    )


def negation(shape: Sequence[object] = (1, 3, 4, 4), dtype: str = "float32") -> bytes:
    """y = -x."""
    return graph("Neg", shape, dtype)


def write_model(folder: Path, onnx: bytes, name: str = "tiny.om", **settings: object) -> Path:
    path = folder / name
    write_simulated_model(path, SimulatedModel(onnx, **settings))  # type: ignore[arg-type]
    return path


@contextmanager
def slow_device(board: Board, hold: Callable[[], None]) -> Iterator[None]:
    """Call ``hold`` on the stream's thread before each run that is started in the block."""
    call = board.acl.try_call

    def held(name: str, *args: object) -> Tuple[object, int]:
        if name == "mdl.execute_async":
            with board.machine.lock:
                stream = board.machine.handles.get("stream", int(args[3]))  # type: ignore[call-overload]
            stream.submit(hold)  # type: ignore[attr-defined]
        return call(name, *args)

    board.acl.try_call = held  # type: ignore[method-assign]
    try:
        yield
    finally:
        board.acl.try_call = call  # type: ignore[method-assign]


def random_array(shape: Sequence[int], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Numbers that half precision holds exactly."""
    return np.random.RandomState(seed).randint(0, 100, tuple(shape)).astype(dtype)
