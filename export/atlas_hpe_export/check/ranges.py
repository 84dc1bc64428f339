"""The range of every tensor on sample inputs, and what float16 would do to it.

The graph runs in ONNX Runtime in float32 with its inner tensors as outputs. What comes out is an
estimate for the board: the board computes in float16 and goes wrong where float32 still does not.
Tensors are reduced to a few numbers at once, and exposed a batch at a time, so memory stays bounded
by ``MAX_BATCH_BYTES`` and what the network itself needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Sequence

import numpy as np
import onnx

from atlas_hpe_export.check.finding import BLOCKER, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView, Value
from atlas_hpe_export.check.rules.half_precision import FP16_MAX, FP16_WHOLE
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.runners import open_runner

__all__ = ["MAX_BATCH_BYTES", "find_ranges"]

#: Inner tensors that are held at a time, in bytes.
MAX_BATCH_BYTES = 256 << 20
_MAX_BATCH_TENSORS = 512
_SOURCE = "ascend.md section 3.2 and section 10, row 6"
_UNKNOWN_BYTES = 16 << 20  # a tensor whose size is not known counts as this much


@dataclass
class _Range:
    """What all samples together showed of one tensor."""

    largest: float = 0.0
    has_nan: bool = False
    has_infinite: bool = False
    is_whole: bool = True
    is_exact: bool = True

    def add(self, array: np.ndarray) -> None:
        finite = np.isfinite(array)
        if not finite.all():
            self.has_nan |= bool(np.isnan(array).any())
            self.has_infinite |= bool(np.isinf(array).any())
            array = array[finite]
        if array.size:
            self.largest = max(self.largest, float(array.max()), -float(array.min()))
            self.is_whole = self.is_whole and np.array_equal(array, np.rint(array))
        if self.is_whole and self.is_exact and FP16_WHOLE < self.largest <= FP16_MAX:
            self.is_exact = np.array_equal(array.astype(np.float16), array)


def find_ranges(
    model: onnx.ModelProto, view: GraphView, feeds: Sequence[Feeds]
) -> Iterator[Finding]:
    """Run the graph and tell where float16 would not do.

    Args:
        model: Left as it is.
        view: The same model.
        feeds: Samples, see ``read_samples``.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ModelFileError: ONNX Runtime does not take the model.
        DeviceError: It fails on a run.
    """
    values = _exposable(model, view)
    ranges: Dict[str, _Range] = {value.name: _Range() for value in values}
    for value in view.inputs:
        if value.dtype in ("float32", "float16"):
            ranges[value.name] = _Range()
            for feed in feeds:
                ranges[value.name].add(feed[value.name])
            values = [value, *values]
    for batch in _batches([value for value in values if value.producer is not None]):
        _measure(model, batch, feeds, ranges)
    for value in values:
        yield from _judge(value, ranges[value.name])


def _exposable(model: onnx.ModelProto, view: GraphView) -> List[Value]:
    """Float tensors that nodes of the outermost graph make; bodies of If and Loop stay hidden."""
    outermost = {name for node in model.graph.node for name in node.output}
    made = (value for node in view.nodes if not node.is_folded for value in node.outputs)
    return [
        value
        for value in made
        if value is not None and value.dtype in ("float32", "float16") and value.name in outermost
    ]


def _batches(values: Sequence[Value]) -> Iterator[List[Value]]:
    batch: List[Value] = []
    held = 0
    for value in values:
        size = _UNKNOWN_BYTES if value.size is None else 4 * value.size
        if batch and (held + size > MAX_BATCH_BYTES or len(batch) == _MAX_BATCH_TENSORS):
            yield batch
            batch, held = [], 0
        batch.append(value)
        held += size
    if batch:
        yield batch


def _measure(
    model: onnx.ModelProto,
    batch: Sequence[Value],
    feeds: Sequence[Feeds],
    ranges: Dict[str, _Range],
) -> None:
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=value.name) for value in batch)
    with open_runner(exposed) as run:
        for feed in feeds:
            for name, array in run(feed).items():
                ranges[name].add(array)


def _judge(value: Value, found: _Range) -> Iterator[Finding]:
    subject = f"tensor '{value.name}'" if value.producer is not None else f"input '{value.name}'"
    if found.has_nan:
        yield value.finding(
            "nan",
            BLOCKER,
            f"{subject} holds NaN",
            why="the model itself gives it, in float32 on this machine",
            fix="look at the sample and at the weights: atlas-hpe parity",
            source=_SOURCE,
        )
    elif found.has_infinite:
        yield value.finding(
            "infinite",
            WARNING,
            f"{subject} holds infinite values",
            why="the model itself gives them, in float32 on this machine",
            fix="nothing, where they are a mask before Softmax; else look at the weights",
            source=_SOURCE,
        )
    if found.largest > FP16_MAX:
        yield value.finding(
            "fp16-overflow",
            BLOCKER,
            f"{subject} reaches {found.largest:.4g}",
            why=f"float16 ends at {FP16_MAX:.0f}, so the board is estimated to make it infinite "
            "(computed in float32 on this machine)",
            fix="scale weights or inputs, or keep the node in float32 with atc --keep_dtype",
            source=_SOURCE,
        )
    elif found.largest > FP16_WHOLE and found.is_whole and not found.is_exact:
        yield value.finding(
            "fp16-index",
            WARNING,
            f"{subject} holds whole numbers up to {found.largest:.0f} as floats",
            why=f"float16 is estimated to round those beyond {FP16_WHOLE:.0f} (computed in "
            "float32 on this machine)",
            fix="compute with coordinates from 0 to 1, or leave index arithmetic to the host",
            source="networks.md section 1",
        )
