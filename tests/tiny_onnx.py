"""Small ONNX files written by hand, so that tests of the board's side need no onnx package.

Field numbers follow onnx.proto.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple, Union

import numpy as np

from atlas_hpe.card import (
    CARD_METADATA_KEY,
    DecodeSpec,
    GraphSpec,
    ModelCard,
    PreprocessSpec,
    Provenance,
    TensorSpec,
    card_to_json,
)

Attribute = Union[int, str, bytes, Sequence[int]]  # bytes: a message of tensor()
DTYPES = {
    "float32": 1,
    "uint8": 2,
    "int32": 6,
    "int64": 7,
    "string": 8,
    "bool": 9,
    "float16": 10,
    "float64": 11,
}


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number_field(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def bytes_field(field: int, value: Union[bytes, str]) -> bytes:
    body = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(body)) + body


def attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return bytes_field(1, name) + number_field(3, value) + number_field(20, 2)
    if isinstance(value, str):
        return bytes_field(1, name) + bytes_field(4, value) + number_field(20, 3)
    if isinstance(value, bytes):
        return bytes_field(1, name) + bytes_field(5, value) + number_field(20, 4)
    numbers = b"".join(number_field(8, item) for item in value)
    return bytes_field(1, name) + numbers + number_field(20, 7)


def node(
    op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Attribute
) -> bytes:
    body = b"".join(bytes_field(1, name) for name in inputs)
    body += b"".join(bytes_field(2, name) for name in outputs)
    body += bytes_field(4, op_type)
    return body + b"".join(bytes_field(5, attribute(*item)) for item in attributes.items())


def tensor(name: str, array: np.ndarray) -> bytes:
    body = b"".join(number_field(1, size) for size in array.shape)
    body += number_field(2, DTYPES[str(array.dtype)]) + bytes_field(8, name)
    return body + bytes_field(9, array.tobytes())


def external_tensor(name: str, shape: Sequence[int], location: str) -> bytes:
    body = b"".join(number_field(1, size) for size in shape)
    body += number_field(2, 1) + bytes_field(8, name)
    body += bytes_field(13, bytes_field(1, "location") + bytes_field(2, location))
    return body + number_field(14, 1)


def value_info(name: str, shape: Sequence[Union[int, str]], dtype: str = "float32") -> bytes:
    sizes = [bytes_field(2, n) if isinstance(n, str) else number_field(1, n) for n in shape]
    dims = b"".join(bytes_field(1, size) for size in sizes)
    tensor_type = number_field(1, DTYPES[dtype]) + bytes_field(2, dims)
    return bytes_field(1, name) + bytes_field(2, bytes_field(1, tensor_type))


def model(
    nodes: Sequence[bytes],
    inputs: Mapping[str, Sequence[Union[int, str]]],
    outputs: Mapping[str, Sequence[Union[int, str]]],
    tensors: Sequence[bytes] = (),
    metadata: Mapping[str, str] = {},
    opset: int = 11,
    dtypes: Mapping[str, str] = {},
) -> bytes:
    """A model; an input or output is float32 unless ``dtypes`` names its type."""
    graph = b"".join(bytes_field(1, item) for item in nodes) + bytes_field(2, "graph")
    graph += b"".join(bytes_field(5, item) for item in tensors)
    for field, infos in ((11, inputs), (12, outputs)):
        for name, shape in infos.items():
            info = value_info(name, shape, dtypes.get(name, "float32"))
            graph += bytes_field(field, info)
    body = number_field(1, 6) + bytes_field(2, "tiny") + bytes_field(7, graph)
    body += bytes_field(8, bytes_field(1, "") + number_field(2, opset))
    for key, value in metadata.items():
        body += bytes_field(14, bytes_field(1, key) + bytes_field(2, value))
    return body


def hand_card(preprocess: PreprocessSpec, outputs: Dict[str, Tuple[int, ...]]) -> ModelCard:
    size = (1, 3, preprocess.height_px, preprocess.width_px)
    return ModelCard(
        name="tiny hand",
        task="hand-2d",
        graphs=(
            GraphSpec(
                name="pose",
                inputs=(TensorSpec("image", size, "float32", "NCHW"),),
                outputs=tuple(TensorSpec(*item, "float32") for item in outputs.items()),
            ),
        ),
        preprocess=preprocess,
        decode=DecodeSpec(kind="coordinates", outputs={"joints": "joints", "presence": "presence"}),
        provenance=Provenance(network="tiny"),
    )


def hand_model(size_px: int = 16) -> bytes:
    """A "network" whose answers are known: it finds where the picture is bright.

    Every joint is the centre of the bright pixels, moved a little per joint; presence is the
    brightest pixel, so a black picture holds no hand.
    """
    preprocess = PreprocessSpec(
        width_px=size_px,
        height_px=size_px,
        colour="rgb",
        fit="letterbox",
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
    )
    shapes: Dict[str, Tuple[int, ...]] = {"joints": (1, 21, 2), "presence": (1, 1)}
    card = hand_card(preprocess, shapes)
    centres = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px
    grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    spread = (np.arange(21, dtype=np.float32)[:, None] - 10) * np.float32([0.01, 0.005])
    nodes: List[bytes] = [
        node("ReduceMean", ["image"], ["grey"], axes=[1], keepdims=0),
        node("Flatten", ["grey"], ["cells"], axis=1),
        node("ReduceSum", ["cells"], ["mass"], axes=[1], keepdims=1),
        node("Add", ["mass", "tiny_mass"], ["safe_mass"]),
        node("MatMul", ["cells", "grid"], ["sum_xy"]),
        node("Div", ["sum_xy", "safe_mass"], ["centre"]),
        node("Unsqueeze", ["centre"], ["centre_1"], axes=[1]),
        node("Add", ["centre_1", "spread"], ["joints"]),
        node("ReduceMax", ["cells"], ["presence"], axes=[1], keepdims=1),
    ]
    tensors = [
        tensor("grid", grid.astype(np.float32)),
        tensor("spread", spread[None]),
        tensor("tiny_mass", np.full((1, 1), 1e-6, np.float32)),
    ]
    metadata = {CARD_METADATA_KEY: card_to_json(card)}
    return model(nodes, {"image": (1, 3, size_px, size_px)}, shapes, tensors, metadata)
