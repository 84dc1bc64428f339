"""Every rule: a graph that it is about, and one next to it that it is not about."""

from __future__ import annotations

from typing import Dict, List, Tuple

import numpy as np
import onnx
from check_graphs import INTS, constant, model, node

F16 = onnx.TensorProto.FLOAT16
F64 = onnx.TensorProto.DOUBLE
RELU = [node("Relu")]
WEIGHT = {"w": np.ones((4, 3, 3, 3), np.float32)}


def conv(**attributes: object) -> onnx.NodeProto:
    return node("Conv", "x w", **attributes)


def resize(opset: int = 11, size: int = 16, **attributes: object) -> onnx.ModelProto:
    sizes = np.array([1, 3, size, size], np.int64)
    inputs = "x _ _ s" if opset >= 11 else "x k"
    weights = {"s": sizes} if opset >= 11 else {"k": [1, 1, size / 8, size / 8]}
    return model([node("Resize", inputs, **attributes)], weights=weights, opset=opset)


HALF = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
TORCH_HALF = {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}
FLOOR = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


def nearest(coordinates: str, rounding: str, size: int = 16) -> onnx.ModelProto:
    return resize(
        size=size,
        mode="nearest",
        coordinate_transformation_mode=coordinates,
        nearest_mode=rounding,
    )


def volume(**attributes: object) -> onnx.ModelProto:
    sizes = np.array([1, 3, 8, 8, 8], np.int64)
    return model(
        [node("Resize", "x _ _ s", **attributes)], {"x": (1, 3, 4, 4, 4)}, weights={"s": sizes}
    )


def computed(op_type: str) -> onnx.ModelProto:
    """An operator whose second input is fed by the caller."""
    return model([node(op_type, "x p")], {"x": (1, 3, 8, 8), "p": (4,)}, dtypes={"p": INTS})


def given(op_type: str, array: object) -> onnx.ModelProto:
    """The same with a constant second input."""
    return model([node(op_type, "x p")], weights={"p": np.asarray(array, np.int64)})


def norm(first: List[onnx.NodeProto], data: str, outputs: str = "y") -> onnx.ModelProto:
    names = ["scale", "bias", "mean", "var"]
    weights: Dict[str, object] = {name: np.ones(3, np.float32) for name in names}
    weights["k"] = np.ones((3, 3, 1, 1), np.float32)
    last = node("BatchNormalization", " ".join([data, *names]), outputs)
    return model([*first, last], weights=weights)


PROJECT = node("Conv", "x k", "h", kernel_shape=[1, 1])

#: Rule -> severity, a graph that it is about, and one that it is not about.
PAIRS: Dict[str, Tuple[str, onnx.ModelProto, onnx.ModelProto]] = {
    # graph_level
    "several-opsets": ("blocker", model(RELU, others=[("com.microsoft", 1)]), model(RELU)),
    "opset-not-official": ("warning", model(RELU, opset=13), model(RELU)),
    "no-input": (
        "blocker",
        model([constant([1.0]), node("Relu", "c")], {}),
        model(RELU),
    ),
    "dynamic-input": ("blocker", model(RELU, {"x": ("N", 3, 8, 8)}), model(RELU)),
    "zero-size": ("blocker", model(RELU, {"x": (1, 0, 8, 8)}), model(RELU)),
    "open-shape": (
        "warning",
        model([node("NonZero")]),
        model([node("Relu", "x", "h"), node("Relu", "h")], {"x": ("N", 3)}),
    ),
    "input-type": (
        "warning",
        model([node("Cast", to=1)], dtypes={"x": INTS}),
        model([node("Cast", to=1)], dtypes={"x": onnx.TensorProto.UINT8}),
    ),
    "output-type": (
        "warning",
        model([node("ArgMax", axis=1)]),
        model([node("ArgMax", "x", "i", axis=1), node("Cast", "i", to=6)]),
    ),
    "long-name": (
        "warning",
        model([node("Relu", "a" * 128)], {"a" * 128: (1, 3)}),
        model([node("Relu", "a" * 127)], {"a" * 127: (1, 3)}),
    ),
    "name-with-separator": (
        "warning",
        model([node("Relu", "x:0")], {"x:0": (1, 3)}),
        model([node("Relu", "x/0")], {"x/0": (1, 3)}),
    ),
    "numbered-name": (
        "note",
        model([node("Relu", "input.1")], {"input.1": (1, 3)}),
        model([node("Relu", "input")], {"input": (1, 3)}),
    ),
    "file-format": ("note", model(RELU, ir_version=8), model(RELU, ir_version=7)),
    # registration
    "unknown-domain": (
        "blocker",
        model([node("Inverse", domain="com.microsoft")], others=[("com.microsoft", 1)]),
        model(RELU),
    ),
    "not-registered": ("blocker", model(RELU, opset=17), model(RELU, opset=15)),
    "malformed-node": (
        "blocker",
        model([node("Relu", alpha=1.0)]),
        model([node("LeakyRelu", alpha=1.0)]),
    ),
    "registration-unknown": ("warning", model([node("Addcmul")]), model(RELU)),
    "no-kernel": ("warning", model([node("IsNaN")]), model([node("GlobalAveragePool")])),
    "ai-cpu": (
        "warning",
        model([node("Det")], {"x": (1, 3, 3)}),
        model([constant(np.eye(3)), node("Det", "c", "d"), node("Add", "x d")]),
    ),
    # element_types
    "ai-cpu-type": (
        "warning",
        model([node("Cast", to=INTS)]),
        model([node("Cast", to=onnx.TensorProto.INT32)]),
    ),
    "kernel-type": (
        "blocker",
        model([node("Mod", "x x")], dtypes={"x": INTS}),
        model([node("Mod", "x x")], dtypes={"x": F16}),
    ),
    "int64-indices": (
        "warning",
        model([node("ArgMax", "x", "i", axis=0), node("Gather", "x i")], {"x": (4, 2)}),
        model([node("Gather", "x i")], weights={"i": np.array([0])}),
    ),
    # constant_inputs
    "computed-input": ("blocker", computed("Reshape"), given("Reshape", [1, -1])),
    "folded-input": (
        "warning",
        model(
            [
                node("Shape", "x", "a"),
                node("Add", "a zero", "s"),
                node("Resize", "x _ _ s", **TORCH_HALF),
            ],
            weights={"zero": np.array([0, 0, 8, 8])},
        ),
        resize(**TORCH_HALF),
    ),
    "clip-without-bounds": (
        "blocker",
        model([node("Clip")]),
        model([node("Clip", "x _ m")], weights={"m": np.float32(6)}),
    ),
    # resize
    "resize-mode": (
        "blocker",
        resize(**{**TORCH_HALF, "mode": "cubic"}),
        resize(**TORCH_HALF),
    ),
    "resize-coordinates": ("blocker", resize(**HALF), resize(**TORCH_HALF)),
    "resize-rounding": (
        "warning",
        resize(size=12, **{**FLOOR, "nearest_mode": "ceil"}),
        resize(size=12, **FLOOR),
    ),
    "resize-5d": ("blocker", volume(**FLOOR), volume(**TORCH_HALF)),
    # layers
    "conv-attributes": (
        "blocker",
        model([conv()], weights=WEIGHT),
        model([conv(pads=[0, 0, 0, 0])], weights=WEIGHT),
    ),
    "5d": (
        "warning",
        model([node("MaxPool", kernel_shape=[2, 2, 2])], {"x": (1, 3, 4, 4, 4)}),
        model([node("MaxPool", kernel_shape=[2, 2])]),
    ),
    "conv-5d-auto-pad": (
        "blocker",
        model(
            [conv(kernel_shape=[3, 3, 3], auto_pad="SAME_UPPER")],
            {"x": (1, 3, 4, 4, 4)},
            weights={"w": np.ones((4, 3, 3, 3, 3), np.float32)},
        ),
        model([conv(kernel_shape=[3, 3], auto_pad="SAME_UPPER")], weights=WEIGHT),
    ),
    "rank": (
        "blocker",
        model([node("MaxPool", kernel_shape=[1, 1, 1, 1])], {"x": (1, 3, 4, 4, 4, 4)}),
        model([node("MaxPool", kernel_shape=[1, 1, 1])], {"x": (1, 3, 4, 4, 4)}),
    ),
    "conv-transpose-kernel": (
        "blocker",
        model([node("ConvTranspose", "x w")], weights={"w": np.ones((3, 4, 2, 2), np.float32)}),
        model(
            [node("ConvTranspose", "x w", kernel_shape=[2, 2])],
            weights={"w": np.ones((3, 4, 2, 2), np.float32)},
        ),
    ),
    "conv-transpose-output-shape": (
        "warning",
        model(
            [
                node(
                    "ConvTranspose",
                    "x w",
                    kernel_shape=[2, 2],
                    strides=[2, 2],
                    output_shape=[16, 16],
                )
            ],
            weights={"w": np.ones((3, 4, 2, 2), np.float32)},
        ),
        model(
            [node("ConvTranspose", "x w", kernel_shape=[2, 2], strides=[2, 2])],
            weights={"w": np.ones((3, 4, 2, 2), np.float32)},
        ),
    ),
    "batch-norm-training": (
        "blocker",
        norm([], "x", "y m v"),
        norm([PROJECT], "h"),
    ),
    "batch-norm-not-folded": ("note", norm([], "x"), norm([PROJECT], "h")),
    "max-pool-indices": (
        "blocker",
        model([node("MaxPool", "x", "y i", kernel_shape=[2, 2])]),
        model([node("MaxPool", "x", "y _", kernel_shape=[2, 2])]),
    ),
    "max-pool-order": (
        "blocker",
        model([node("MaxPool", kernel_shape=[2, 2], storage_order=1)]),
        model([node("MaxPool", kernel_shape=[2, 2], storage_order=0)]),
    ),
    "large-pool": (
        "warning",
        model([node("AveragePool", kernel_shape=[16, 16])], {"x": (1, 3, 32, 32)}),
        model([node("AveragePool", kernel_shape=[15, 17])], {"x": (1, 3, 32, 32)}),
    ),
    # attributes
    "softmax-axis": ("blocker", model([node("Softmax", axis=1)]), model([node("Softmax", axis=3)])),
    "ignored-attribute": (
        "blocker",
        model([node("Mod", "x x", fmod=1)]),
        model([node("Mod", "x x", fmod=0)], dtypes={"x": F16}),
    ),
    "refused-attribute": (
        "blocker",
        model([node("Transpose")]),
        model([node("Transpose", perm=[0, 2, 1, 3])]),
    ),
    "pad-mode": (
        "warning",
        model([node("Pad", "x p", mode="reflect")], weights={"p": np.ones(8, np.int64)}),
        model([node("Pad", "x p", mode="edge")], weights={"p": np.ones(8, np.int64)}),
    ),
    "negative-step": (
        "warning",
        model(
            [node("Slice", "x a b c d")],
            weights={k: np.array([v]) for k, v in {"a": -1, "b": -9, "c": 3, "d": -1}.items()},
        ),
        model(
            [node("Slice", "x a b c d")],
            weights={k: np.array([v]) for k, v in {"a": 0, "b": 8, "c": 3, "d": 2}.items()},
        ),
    ),
    # data_dependent
    "data-dependent-size": ("warning", model([node("NonZero")]), model(RELU)),
    "nms-in-graph": (
        "warning",
        model([node("NonMaxSuppression", "x s")], {"x": (1, 9, 4), "s": (1, 1, 9)}),
        model(RELU),
    ),
}
