"""Running a graph at another batch than the one that it was traced at."""

from __future__ import annotations

from typing import Optional

import numpy as np
import onnx
import onnxruntime

PICTURES = 3


def at_any_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with the first axis of its inputs free, and without the shapes found for it."""
    free = onnx.ModelProto()
    free.CopyFrom(model)
    del free.graph.value_info[:]
    weights = {item.name for item in free.graph.initializer}
    for info in free.graph.input:
        sizes = info.type.tensor_type.shape.dim
        if info.name not in weights and sizes:
            sizes[0].Clear()
            sizes[0].dim_param = "n"
    for info in free.graph.output:
        info.type.tensor_type.ClearField("shape")
    return free


def find_batch_fault(model: onnx.ModelProto, share: float = 1e-5) -> Optional[str]:
    """How a graph of batch 1 fails at batches of 2 and 3, None where each picture is as before."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    alone, together = (
        onnxruntime.InferenceSession(item.SerializeToString(), options)
        for item in (model, at_any_batch(model))
    )
    rng = np.random.default_rng(0)
    feeds = {
        item.name: rng.uniform(-1, 1, (PICTURES, *item.shape[1:])).astype(np.float32)
        for item in alone.get_inputs()
    }
    single = [
        alone.run(None, {name: array[at : at + 1] for name, array in feeds.items()})
        for at in range(PICTURES)
    ]
    for count in range(1, PICTURES + 1):
        try:
            found = together.run(None, {name: array[:count] for name, array in feeds.items()})
        except Exception as error:  # noqa: BLE001  (onnxruntime's own have no common parent)
            return f"batch {count}: {error}"
        for index, array in enumerate(found):
            wanted = np.concatenate([outputs[index] for outputs in single[:count]])
            if array.shape != wanted.shape:
                return f"batch {count}: {array.shape}, not {wanted.shape}"
            limit = share * max(1.0, float(np.abs(wanted).max(initial=0)))
            if not np.allclose(array, wanted, rtol=0, atol=limit):
                return f"batch {count}: other values"
    return None
