"""What a network may return, and what its outputs are called."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Tuple

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from frontend_checks import Calls, capture_with, find_difference  # noqa: E402
from torch import Tensor  # noqa: E402

from atlas_hpe.errors import UsageError  # noqa: E402
from atlas_hpe_export.frontends import FRONTENDS, capture  # noqa: E402
from atlas_hpe_export.frontends.outputs import (  # noqa: E402
    flatten_outputs,
    is_flat,
    name_outputs,
)

ONE, TWO = torch.ones(1), torch.full((2,), 2.0)


class Pair(NamedTuple):
    left: Tensor
    right: Tensor


@dataclass
class Hands:
    joints: Pair
    score: Optional[Tensor] = None


CASES: List[Tuple[object, Tuple[str, ...]]] = [
    (ONE, ("output",)),
    ((ONE,), ("output",)),
    ([ONE, TWO], ("output_0", "output_1")),
    ({"joints": ONE}, ("joints",)),
    (OrderedDict(b=ONE, a=TWO), ("b", "a")),
    (Pair(ONE, TWO), ("left", "right")),
    (Hands(Pair(ONE, TWO), TWO), ("joints_left", "joints_right", "score")),
    ({"maps": [ONE, TWO], "loss": None}, ("maps_0", "maps_1")),
    ((ONE, {"deep": (TWO, ONE)}), ("output_0", "output_1_deep_0", "output_1_deep_1")),
    ({"3d-joints": ONE, "a b": TWO}, ("output_3d_joints", "a_b")),
    ({"image": ONE}, ("output_image",)),
    ({"": ONE, "x": TWO}, ("output_", "x")),
]


@pytest.mark.parametrize(("outputs", "names"), CASES, ids=[str(names) for _, names in CASES])
def test_outputs_are_named_after_keys_fields_and_positions(
    outputs: object, names: Tuple[str, ...]
) -> None:
    assert name_outputs(outputs, [], ["image"]) == names


def test_outputs_come_in_the_order_in_which_they_were_built() -> None:
    found = flatten_outputs({"b": (ONE, [TWO]), "a": Hands(Pair(TWO, ONE))})
    assert [path for path, _ in found] == ["b_0", "b_1_0", "a_joints_left", "a_joints_right"]
    assert [tensor for _, tensor in found] == [ONE, TWO, TWO, ONE]


def test_given_names_are_taken_as_they_are() -> None:
    assert name_outputs({"a": ONE, "b": TWO}, ["x", "y"], ["image"]) == ("x", "y")
    with pytest.raises(UsageError, match="returns 2 outputs, 1 are named"):
        name_outputs((ONE, TWO), ["only"], ["image"])


@pytest.mark.parametrize(
    ("outputs", "given"),
    [((ONE, TWO), ["x", "x"]), ((ONE, TWO), ["x", "image"]), ({"a_0": ONE, "a": [TWO]}, [])],
)
def test_a_name_that_stands_for_two_tensors_is_refused(outputs: object, given: List[str]) -> None:
    with pytest.raises(UsageError, match="same name"):
        name_outputs(outputs, given, ["image"])


@pytest.mark.parametrize(
    ("outputs", "why"),
    [
        ("text", "returned a str"),
        (None, "returned a NoneType"),
        (Hands, "returned a type"),
        ((ONE, "text"), "returned a str"),
        ({"a": 1.0}, "returned a float"),
    ],
)
def test_anything_else_is_a_usage_error(outputs: object, why: str) -> None:
    with pytest.raises(UsageError, match="must return tensors") as caught:
        flatten_outputs(outputs)
    assert why in str(caught.value)


@pytest.mark.parametrize("outputs", [(), [], {}, {"a": None}])
def test_no_tensor_at_all_is_a_usage_error(outputs: object) -> None:
    with pytest.raises(UsageError, match="returns no tensor"):
        flatten_outputs(outputs)


def test_only_a_tensor_and_a_plain_tuple_are_flat() -> None:
    assert is_flat(ONE) and is_flat((ONE, TWO))
    assert not any(map(is_flat, [[ONE], {"a": ONE}, Pair(ONE, TWO), (ONE, (TWO,)), (ONE, None)]))


def nested(image: Tensor) -> Dict[str, object]:
    return {"hands": Hands(Pair(image + 1, image * 2)), "rest": [image.mean(), None, (image,)]}


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_nested_outputs_keep_their_values_apart(frontend: str) -> None:
    network, inputs = Calls(nested).eval(), [torch.randn(1, 3, 4, 4)]
    captured = capture_with(frontend, network, inputs)
    assert captured.output_names == (
        "hands_joints_left",
        "hands_joints_right",
        "rest_0",
        "rest_2_0",
    )
    assert [item.name for item in captured.model.graph.output] == list(captured.output_names)
    assert find_difference(network, captured, inputs) is None
    assert network.training is False, "the wrapper around it may not reach into it"


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_an_output_may_be_an_input_or_another_output(frontend: str) -> None:
    def alias(image: Tensor) -> Tuple[Tensor, ...]:
        double = image * 2
        return image, double, double, double.view(-1)

    network, inputs = Calls(alias).eval(), [torch.randn(2, 3)]
    captured = capture_with(frontend, network, inputs)
    assert [item.name for item in captured.model.graph.input] == ["input_0"]
    assert find_difference(network, captured, inputs) is None


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_an_input_that_is_not_used_stays_an_input(frontend: str) -> None:
    network = Calls(lambda image, unused, other: image + other).eval()
    inputs = [torch.ones(2), torch.ones(1, 4, dtype=torch.int64), torch.ones(2)]
    captured = capture_with(frontend, network, inputs)
    assert [item.name for item in captured.model.graph.input] == ["input_0", "input_1", "input_2"]
    assert captured.warnings == ("the network does not use its input 'input_1'",)
    assert find_difference(network, captured, inputs) is None


def test_the_number_of_input_names_has_to_fit() -> None:
    with pytest.raises(UsageError, match="there are 1 inputs, 2 are named"):
        capture(Calls(abs).eval(), [ONE], input_names=["a", "b"], output_names=[])
