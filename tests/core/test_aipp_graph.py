"""A graph that normalises its picture by itself is recognised, without the onnx package."""

from __future__ import annotations

import time
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tiny_onnx
from atlas_hpe.aipp import find_normalisation
from atlas_hpe.errors import InputError, ModelFileError
from tiny_onnx import bytes_field, node, number_field, tensor

SHAPE = (1, 3, 4, 6)
MEAN = np.float32([1, 2, 3]).reshape(1, 3, 1, 1)


def named(name: str, body: bytes) -> bytes:
    return body + bytes_field(3, name)


def file_of(nodes: Sequence[bytes], **tensors: np.ndarray) -> bytes:
    weights = [tensor(name, array) for name, array in tensors.items()]
    return tiny_onnx.model(nodes, {"image": SHAPE}, {"y": SHAPE}, weights)


def constant(output: str, array: np.ndarray) -> bytes:
    return node("Constant", [], [output], value=tensor("", array))


@pytest.mark.parametrize("op_type", ["Sub", "Div", "Mul", "Add"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3, 1, 1), (4,)])
def test_arithmetic_with_a_constant_is_found(op_type: str, shape: Tuple[int, ...]) -> None:
    numbers = np.ones(shape, np.float32)
    by_initialiser = [named("norm", node(op_type, ["image", "c"], ["y"]))]
    assert find_normalisation(file_of(by_initialiser, c=numbers), "image") == "norm"
    by_constant = [constant("c", numbers), *by_initialiser]
    assert find_normalisation(file_of(by_constant), "image") == "norm"


def test_the_constant_may_come_first_but_for_a_division() -> None:
    for op_type in ("Sub", "Mul", "Add"):
        nodes = [node(op_type, ["c", "image"], ["y"])]
        assert find_normalisation(file_of(nodes, c=MEAN), "image") == "y"
    assert (
        find_normalisation(file_of([node("Div", ["c", "image"], ["y"])], c=MEAN), "image") is None
    )


def test_a_node_without_a_name_is_named_by_its_output() -> None:
    nodes = [node("Sub", ["image", "c"], ["centred"]), node("Relu", ["centred"], ["y"])]
    assert find_normalisation(file_of(nodes, c=MEAN), "image") == "centred"


@pytest.mark.parametrize(
    "way",
    [
        [node("Cast", ["image"], ["t"], to=1)],
        [node("Identity", ["image"], ["a"]), node("Transpose", ["a"], ["t"], perm=[0, 3, 1, 2])],
        [node("Reshape", ["image", "shape"], ["t"])],
        [node("Unsqueeze", ["image"], ["a"], axes=[0]), node("Squeeze", ["a"], ["t"], axes=[0])],
        [node("Gather", ["image", "order"], ["t"], axis=1)],
        [node("Slice", ["image", "a", "b"], ["t"])],
        [node("Split", ["image"], ["b", "g", "r"], axis=1),
         node("Concat", ["r", "g", "b"], ["t"], axis=1)],
    ],
)  # fmt: skip
def test_what_moves_pixels_is_followed(way: List[bytes]) -> None:
    nodes = [*way, named("norm", node("Div", ["t", "c"], ["y"]))]
    assert find_normalisation(file_of(nodes, c=MEAN), "image") == "norm"


def test_each_channel_on_its_own_is_found() -> None:
    nodes = [
        node("Split", ["image"], ["b", "g", "r"], axis=1),
        named("red", node("Sub", ["r", "c"], ["r1"])),
        node("Concat", ["r1", "g", "b"], ["y"], axis=1),
    ]
    assert find_normalisation(file_of(nodes, c=np.float32([7])), "image") == "red"


@pytest.mark.parametrize(
    "way",
    [
        [node("Unsqueeze", ["c0"], ["c"], axes=[1, 2])],
        [node("Cast", ["c0"], ["a"], to=1), node("Reshape", ["a", "s"], ["c"])],
        [node("Identity", ["c0"], ["c"])],
    ],
)
def test_a_constant_may_be_shaped_first(way: List[bytes]) -> None:
    nodes = [*way, named("norm", node("Sub", ["image", "c"], ["y"]))]
    assert find_normalisation(file_of(nodes, c0=MEAN), "image") == "norm"
    made = [constant("c0", MEAN), *nodes]
    assert find_normalisation(file_of(made), "image") == "norm"


def constant_of(*attributes: bytes) -> bytes:
    body = bytes_field(2, "c") + bytes_field(4, "Constant")
    return body + b"".join(bytes_field(5, item) for item in attributes)


FLOATS = np.float32([1, 2, 3]).tobytes()


@pytest.mark.parametrize(
    "attribute",
    [
        bytes_field(1, "value_float") + b"\x15" + FLOATS[:4],
        bytes_field(1, "value_int") + number_field(3, 255),
        bytes_field(1, "value_floats") + bytes_field(7, FLOATS),
        bytes_field(1, "value_floats") + b"\x3d" + FLOATS[:4] + b"\x3d" + FLOATS[4:8],
        bytes_field(1, "value_ints") + bytes_field(8, b"\x01\x02\x03"),
    ],
)
def test_numbers_of_a_constant_may_be_written_without_a_tensor(attribute: bytes) -> None:
    nodes = [constant_of(attribute), named("norm", node("Mul", ["image", "c"], ["y"]))]
    assert find_normalisation(file_of(nodes), "image") == "norm"


def test_long_lists_of_a_constant_are_no_normalisation() -> None:
    for attribute in (
        bytes_field(1, "value_floats") + bytes_field(7, FLOATS * 2),
        bytes_field(1, "value_ints") + bytes_field(8, b"\x01" * 5),
    ):
        nodes = [constant_of(attribute), node("Mul", ["image", "c"], ["y"])]
        assert find_normalisation(file_of(nodes), "image") is None


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Conv", ["image", "c"], ["a"]), node("Sub", ["a", "c"], ["y"])],
        [node("Sub", ["image", "image"], ["y"])],
        [node("Add", ["image", "wide"], ["y"])],
        [node("Mul", ["image", "unknown"], ["y"])],
        [node("Add", ["image", "none"], ["y"])],
        [node("Pow", ["image", "c"], ["y"])],
        [node("Gather", ["c", "image"], ["a"]), node("Sub", ["a", "c"], ["y"])],
        [node("Relu", ["c"], ["d"]), node("Sub", ["image", "d"], ["y"])],
        [node("Mul", ["other", "c"], ["y"])],
        [node("Sub", ["image", "c", "c"], ["y"])],
        [],
    ],
)
def test_other_graphs_do_not_normalise(nodes: List[bytes]) -> None:
    content = file_of(nodes, c=MEAN, wide=np.ones(5, np.float32), none=np.ones((0, 3), np.float32))
    assert find_normalisation(content, "image") is None


def test_the_file_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "hand.onnx"
    path.write_bytes(file_of([named("norm", node("Sub", ["image", "c"], ["y"]))], c=MEAN))
    assert find_normalisation(path, "image") == "norm"
    assert find_normalisation(str(path), "another input") is None
    path.write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="damaged") as caught:
        find_normalisation(path, "image")
    assert caught.value.where == str(path)
    with pytest.raises(InputError):
        find_normalisation(tmp_path / "absent.onnx", "image")


def test_the_networks_of_the_tests_do_not_normalise() -> None:
    assert find_normalisation(tiny_onnx.hand_model(), "image") is None


def rings(count: int) -> bytes:
    """Nodes that feed each other and themselves, each with many inputs and outputs."""
    names = [f"t{index % 50}" for index in range(count)]
    nodes = [node("Concat", ["image", *names], [*names, "image"]) for _ in range(60)]
    return file_of([*nodes, node("Identity", ["t1"], ["t0"]), node("Identity", ["t0"], ["t1"])])


def test_graphs_without_an_end_are_left_in_time() -> None:
    started = time.perf_counter()
    assert find_normalisation(rings(3000), "image") is None
    assert time.perf_counter() - started < 5


GOOD = file_of(
    [constant("c", MEAN), node("Cast", ["image"], ["t"], to=1), node("Sub", ["t", "c"], ["y"])]
)


@given(
    changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=4),
    end=st.integers(0, len(GOOD)) | st.none(),
)
@example(changes=[], end=None)
@settings(max_examples=400)
def test_a_damaged_file_is_an_answer_or_one_clear_error(
    changes: List[Tuple[int, int]], end: Optional[int]
) -> None:
    content = bytearray(GOOD)
    for place, value in changes:
        content[place] = value
    try:
        found = find_normalisation(bytes(content[:end]), "image")
    except ModelFileError:
        return
    assert found is None or isinstance(found, str)
    if not changes and end is None:
        assert found == "y"
