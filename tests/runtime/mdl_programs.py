"""Small programs for the simulator's model calls: a device, a model, buffers, a run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

import tiny_onnx
from atlas_hpe_runtime.simulator.install import build_acl
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.model_file import MARKER, write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from atlas_hpe_runtime.simulator.settings import SimulatorSettings
from tiny_onnx import node

NORMAL_ONLY = 2


def sum_model(shape: Sequence[object] = (1, 4), name: str = "sum") -> bytes:
    """``y = x + x``, and the indices of the largest of each row as int64."""
    nodes = [
        tiny_onnx.bytes_field(3, name) + node("Add", ["x", "x"], ["y"]),
        node("ArgMax", ["y"], ["ids"], axis=-1, keepdims=0),
    ]
    outputs = {"y": shape, "ids": shape[:-1]}
    return tiny_onnx.model(nodes, {"x": shape}, outputs, dtypes={"ids": "int64"})  # type: ignore[dict-item, arg-type]


def picture_model(shape: Sequence[object] = (1, 3, 4, 6)) -> bytes:
    """Gives its input back."""
    return tiny_onnx.model(
        [node("Identity", ["image"], ["seen"])], {"image": shape}, {"seen": shape}
    )  # type: ignore[dict-item]


class Board:
    """A simulated device with a context, and the calls that every program makes."""

    def __init__(self, **settings: object) -> None:
        self.machine = Machine(SimulatorSettings(**settings))  # type: ignore[arg-type]
        self.acl: ModuleType = build_acl(self.machine)
        assert self.acl.init() == 0
        assert self.acl.rt.set_device(0) == 0
        self.keep: List[bytes] = []

    def load(self, model: object) -> int:
        """Load a SimulatedModel or the bytes of a file from memory."""
        model_id, ret = self.try_load(model)
        assert ret == 0, (ret, self.machine.ledger.notes())
        return model_id

    def try_load(self, model: object) -> Tuple[int, int]:
        content = file_of(model) if isinstance(model, SimulatedModel) else model
        assert isinstance(content, bytes)
        self.keep.append(content)
        found = self.acl.mdl.load_from_mem(self.acl.util.bytes_to_ptr(content), len(content))
        assert isinstance(found, tuple)
        return found

    def desc(self, model_id: int) -> int:
        desc = self.acl.mdl.create_desc()
        assert self.acl.mdl.get_desc(desc, model_id) == 0
        return int(desc)

    def malloc(self, data: bytes) -> int:
        """Device memory with this content."""
        pointer, ret = self.acl.rt.malloc(max(len(data), 1), NORMAL_ONLY)
        assert ret == 0
        self.write(pointer, data)
        return int(pointer)

    def write(self, pointer: int, data: bytes) -> None:
        if data:
            self.machine.memory.view(pointer, len(data), "device")[:] = np.frombuffer(
                data, np.uint8
            )

    def read(self, pointer: int, size: int) -> bytes:
        return self.machine.memory.view(pointer, size, "device").tobytes()

    def dataset(self, *buffers: Tuple[int, int]) -> int:
        """A dataset of (pointer, size) pairs."""
        dataset = self.acl.mdl.create_dataset()
        for pointer, size in buffers:
            buffer = self.acl.create_data_buffer(pointer, size)
            assert self.acl.mdl.add_dataset_buffer(dataset, buffer) == (dataset, 0)
        return int(dataset)

    def bind(
        self, model_id: int, feeds: Sequence[bytes], sizes: Optional[Sequence[int]] = None
    ) -> Bound:
        """Buffers for a model with these inputs; outputs have the sizes of its description."""
        desc = self.desc(model_id)
        mdl = self.acl.mdl
        if sizes is None:
            count = mdl.get_num_outputs(desc)
            sizes = [mdl.get_output_size_by_index(desc, index) for index in range(count)]
        inputs = [(self.malloc(data), len(data)) for data in feeds]
        outputs = [(self.malloc(bytes(size)), size) for size in sizes]
        return Bound(self, model_id, inputs, outputs)

    def run(self, model_id: int, feeds: Sequence[bytes]) -> List[bytes]:
        bound = self.bind(model_id, feeds)
        assert bound.execute() == 0, self.machine.ledger.notes()
        return bound.results()


class Bound:
    """A model with its datasets."""

    def __init__(
        self,
        board: Board,
        model_id: int,
        inputs: List[Tuple[int, int]],
        outputs: List[Tuple[int, int]],
    ) -> None:
        self.board, self.model_id = board, model_id
        self.inputs, self.outputs = inputs, outputs
        self.sources, self.targets = board.dataset(*inputs), board.dataset(*outputs)

    def execute(self) -> int:
        return int(self.board.acl.mdl.execute(self.model_id, self.sources, self.targets))

    def results(self) -> List[bytes]:
        return [self.board.read(pointer, size) for pointer, size in self.outputs]


def file_of(model: SimulatedModel) -> bytes:
    """The content of the file that would be written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.om"
        write_simulated_model(path, model)
        content = path.read_bytes()
    assert content.startswith(MARKER)
    return content


def floats(data: bytes) -> List[float]:
    return [float(value) for value in np.frombuffer(data, np.float32)]


def names(board: Board) -> Dict[str, int]:
    """What is live, by kind."""
    found: Dict[str, int] = {}
    for entry in board.machine.ledger.live():
        found[entry.kind] = found.get(entry.kind, 0) + 1
    return found
