"""What does a session on pyACL cost beside the network?

    python benchmarks/session_overhead.py [--frames N] [--json]

One frame of 3x256x256 float32 on one thread, on the simulated device in both run modes: the feed is
checked and copied in, bound and launched, waited for and copied out. The launch itself is replaced
by nothing, so there is no network in the figure, but the simulator's own account of every call is.
The target is 0.3 ms. In turn with it runs a plain copy of the same bytes, so that both see the same
load of the machine; the ratio is the figure to watch. The last line of each mode has the launch
back, with a trivial model. No figure is one of a board.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Callable, Dict, List

import numpy as np
import onnx
from onnx import TensorProto, helper

from atlas_hpe_runtime.acl.api import Acl
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.simulator.install import build_acl
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

TARGET_MS = 0.3
SHAPE = (1, 3, 256, 256)


def write_trivial_model(path: Path) -> None:
    """The mean of each channel."""
    node = helper.make_node("GlobalAveragePool", ["image"], ["mean"])
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, (1, 3, 1, 1))
    graph = helper.make_graph([node], "trivial", [image], [mean])
    opset = [helper.make_opsetid("", 11)]
    onnx.save(helper.make_model(graph, ir_version=6, opset_imports=opset), str(path))


def time_ms(work: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    started = perf_counter()
    work()
    return 1e3 * (perf_counter() - started)


def measure(mode: str, model: Path, frames: int) -> Dict[str, float]:
    """Medians in milliseconds, and the ratio of the overhead to the copy."""
    image = np.random.default_rng(0).random(SHAPE, np.float32)
    target = np.empty_like(image)
    times: Dict[str, List[float]] = {"copy_ms": [], "overhead_ms": [], "trivial_model_ms": []}
    with open_simulated(mode, model, launch=False) as bare:
        for _ in range(frames):
            times["copy_ms"].append(time_ms(lambda: np.copyto(target, image)))
            times["overhead_ms"].append(time_ms(lambda: bare.run({"image": image})))
    with open_simulated(mode, model) as whole:
        for _ in range(frames):
            times["trivial_model_ms"].append(time_ms(lambda: whole.run({"image": image})))
    figures = {name: statistics.median(values[frames // 10 :]) for name, values in times.items()}
    return {**figures, "ratio": figures["overhead_ms"] / figures["copy_ms"]}


def open_simulated(mode: str, model: Path, launch: bool = True) -> AclSession:
    """A session on a simulated device of its own, which launches models or lets it be."""
    acl = build_acl(Machine(SimulatorSettings(mode=mode)))
    if not launch:
        vars(acl.mdl)["execute_async"] = lambda *_: 0
    return AclSession(Acl(acl, simulated=True), model)


def describe(report: Dict[str, Dict[str, float]]) -> str:
    """The figures as text."""
    lines = [f"{'x'.join(map(str, SHAPE))} float32, one thread, simulated device, no board (ms)"]
    for mode, row in report.items():
        kept = "kept" if row["overhead_ms"] <= TARGET_MS else "MISSED"
        lines.append(
            f"{mode}: overhead {row['overhead_ms']:.3f} = {row['ratio']:.1f} plain copies of "
            f"{row['copy_ms']:.3f}; target {TARGET_MS} {kept}; "
            f"with a trivial simulated model {row['trivial_model_ms']:.3f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Command line of the bench."""
    parser = argparse.ArgumentParser(description="what a session costs beside the network")
    parser.add_argument("--frames", type=int, default=500, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the figures to stdout")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "trivial.onnx"
        write_trivial_model(model)
        report = {mode: measure(mode, model, options.frames) for mode in ("rc", "ep")}
    print(describe(report), file=sys.stderr)
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
