"""Small ONNX graphs as an export writes them for the board: opset 11, IR 6, named by module."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper


def info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, dtype, array.shape)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    feeds: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    constants: Optional[Mapping[str, np.ndarray]] = None,
    domains: Sequence[str] = ("",),
) -> onnx.ModelProto:
    """A model; inputs and outputs are declared like the arrays."""
    graph = helper.make_graph(
        list(nodes),
        "toy",
        [info(name, array) for name, array in feeds.items()],
        [info(name, array) for name, array in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    imports = [helper.make_opsetid(domain, 11 if not domain else 1) for domain in domains]
    return helper.make_model(graph, opset_imports=imports, ir_version=6)


def floats(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


UNET_SIZE = 16


def unet(seed: int = 0) -> onnx.ModelProto:
    """Down, deeper, up again, with a skip and a head: 16 px, four to eight channels."""
    rng = np.random.default_rng(seed)
    nodes, constants = [], {}

    def conv(name: str, source: str, channels: int, into: int) -> str:
        weight = rng.standard_normal((into, channels, 3, 3)) / np.sqrt(9 * channels)
        constants[f"{name}.weight"] = weight.astype(np.float32)
        constants[f"{name}.bias"] = rng.standard_normal(into).astype(np.float32) / 10
        path = "/" + name.replace(".", "/")
        inputs = [source, f"{name}.weight", f"{name}.bias"]
        nodes.append(
            helper.make_node("Conv", inputs, [f"{name}_raw"], f"{path}/Conv", pads=[1] * 4)
        )
        nodes.append(helper.make_node("Relu", [f"{name}_raw"], [name], f"{path}/Relu"))
        return name

    down = conv("down.conv", "image", 3, 4)
    nodes.append(
        helper.make_node(
            "MaxPool", [down], ["small"], "/pool/MaxPool", kernel_shape=[2, 2], strides=[2, 2]
        )
    )
    deep = conv("deep.conv2", conv("deep.conv1", "small", 4, 8), 8, 8)
    constants["roi"] = np.zeros(0, np.float32)
    constants["scales"] = np.float32([1, 1, 2, 2])
    nodes.append(
        helper.make_node(
            "Resize",
            [deep, "roi", "scales"],
            ["large"],
            "/up/Resize",
            mode="linear",
            coordinate_transformation_mode="pytorch_half_pixel",
        )
    )
    nodes.append(helper.make_node("Concat", ["large", down], ["joined"], "/up/Concat", axis=1))
    conv("up.conv", "joined", 12, 4)
    nodes.append(helper.make_node("Sigmoid", ["up.conv"], ["heatmaps"], "/Sigmoid"))
    size = (1, 4, UNET_SIZE, UNET_SIZE)
    return model_of(
        nodes, {"image": floats(1, 3, *size[2:])}, {"heatmaps": floats(*size)}, constants
    )


def unet_feeds(seed: int = 1) -> Dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"image": rng.standard_normal((1, 3, UNET_SIZE, UNET_SIZE)).astype(np.float32)}


def set_constant(model: onnx.ModelProto, name: str, array: np.ndarray) -> onnx.ModelProto:
    """A copy of the model with another constant."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    (tensor,) = [item for item in changed.graph.initializer if item.name == name]
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(array, np.float32), name))
    return changed


def get_constant(model: onnx.ModelProto, name: str) -> np.ndarray:
    (tensor,) = [item for item in model.graph.initializer if item.name == name]
    return numpy_helper.to_array(tensor)
