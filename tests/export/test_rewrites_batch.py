"""Reshapes that hold for every batch: the same picture by picture, or nothing is touched."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from batch_checks import find_batch_fault  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402
from rewrite_graphs import apply_once, apply_rules, make_model, op_types  # noqa: E402

from atlas_hpe.targets import find_target  # noqa: E402
from atlas_hpe_export import fit  # noqa: E402
from atlas_hpe_export.feeds import Feeds  # noqa: E402
from atlas_hpe_export.fit import fit_to_board  # noqa: E402
from atlas_hpe_export.graph import Guard, as_ir, infer_shapes  # noqa: E402
from atlas_hpe_export.rewrites.batch_axis import plan_batch  # noqa: E402
from atlas_hpe_export.rewrites.batch_free_reshape import RULE  # noqa: E402
from atlas_hpe_export.steps import BATCH_STEP, Step  # noqa: E402


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


X = {"x": picture(1, 4, 3, 2)}
Nodes = List[onnx.NodeProto]


def reshape(source: str, sizes: str, result: str) -> onnx.NodeProto:
    return helper.make_node("Reshape", [source, sizes], [result], name=f"/net/{result}")


def shapes_in(model: onnx.ModelProto) -> Dict[str, List[int]]:
    """Output of a Reshape -> the shape that it is told."""
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    return {
        node.output[0]: constants[node.input[1]].tolist()
        for node in model.graph.node
        if node.op_type == "Reshape"
    }


@pytest.mark.parametrize(
    ("sizes", "free"),
    [
        ([1, 4, 6], [-1, 4, 6]),
        ([1, -1], [-1, 24]),
        ([1, 0, -1], [-1, 4, 6]),
        ([1, 1, 24], [-1, 1, 24]),
        ([1, 4, 3, 2], [-1, 4, 3, 2]),
    ],
)
def test_the_batch_of_the_example_becomes_free(sizes: Sequence[int], free: Sequence[int]) -> None:
    model = make_model([reshape("x", "s", "y")], X, constants={"s": np.array(sizes)})
    after, steps = apply_once(model, RULE, X)
    assert shapes_in(after) == {"y": free}
    assert [node.name for node in after.graph.node] == ["/net/y"]
    assert steps[0].count == 1
    assert find_batch_fault(after, 0) is None


def test_a_shape_that_two_share_is_freed_in_both() -> None:
    nodes = [reshape("x", "s", "a"), helper.make_node("Abs", ["a"], ["b"]), reshape("b", "s", "y")]
    after, _ = apply_once(make_model(nodes, X, constants={"s": np.array([1, 24])}), RULE, X)
    assert shapes_in(after) == {"a": [-1, 24], "y": [-1, 24]}
    assert find_batch_fault(after, 0) is None


def test_every_input_brings_its_pictures() -> None:
    feeds = {**X, "z": picture(1, 24)}
    nodes = [reshape("x", "s", "a"), helper.make_node("Add", ["a", "z"], ["y"])]
    after, _ = apply_once(make_model(nodes, feeds, constants={"s": np.array([1, 24])}), RULE, feeds)
    assert find_batch_fault(after, 0) is None


def test_rows_that_a_layer_made_of_pixels_become_pictures_again() -> None:
    """As onnxsim writes a linear layer on (1, H, W, C): all pixels as rows of one matrix."""
    nodes = [
        reshape("x", "rows", "a"),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        reshape("b", "s", "y"),
    ]
    constants = {"rows": np.array([-1, 2]), "w": picture(2, 5), "s": np.array([1, 4, 3, 5])}
    after, _ = apply_once(make_model(nodes, X, constants=constants), RULE, X)
    assert shapes_in(after) == {"a": [-1, 2], "y": [-1, 4, 3, 5]}
    assert find_batch_fault(after) is None


@pytest.mark.parametrize("sizes", [[-1, 24], [0, 24], [0, -1]])
def test_what_is_free_already_is_left(sizes: Sequence[int]) -> None:
    model = make_model([reshape("x", "s", "y")], X, constants={"s": np.array(sizes)})
    after, steps = apply_rules(model, [RULE], [X])
    assert (shapes_in(after), steps) == ({"y": sizes}, ())


def test_a_graph_without_a_batch_of_one_is_left() -> None:
    feeds = {"x": picture(2, 12)}
    model = make_model([reshape("x", "s", "y")], feeds, constants={"s": np.array([1, 24])})
    assert apply_rules(model, [RULE], [feeds])[1] == ()


def test_a_constant_in_another_shape_is_left() -> None:
    nodes = [
        helper.make_node("Abs", ["c"], ["a"]),
        reshape("a", "s", "b"),
        helper.make_node("Add", ["x", "b"], ["y"]),
    ]
    constants = {"c": picture(2, 3), "s": np.array([1, 1, 3, 2])}
    after, steps = apply_rules(make_model(nodes, X, constants=constants), [RULE], [X])
    assert (shapes_in(after), steps) == ({"b": [1, 1, 3, 2]}, ())


def transposed() -> Nodes:
    """The batch goes into second place and is read there: (4, 1, 6) as 4 x 6."""
    return [
        reshape("a", "s", "b"),
        helper.make_node("Transpose", ["b"], ["c"], perm=[1, 0, 2]),
        reshape("c", "four", "d"),
        reshape("d", "s", "y"),
    ]


def squeezed() -> Nodes:
    return [reshape("a", "four", "b"), reshape("b", "s", "y")]


def moved_to_first_place() -> Nodes:
    """Of (1, 1, 24) the second axis goes first: it is not the batch."""
    return [
        reshape("a", "wide", "b"),
        helper.make_node("Transpose", ["b"], ["c"], perm=[1, 0, 2]),
        reshape("c", "s", "y"),
    ]


def with_a_constant_row() -> Nodes:
    """As the class token of a transformer."""
    return [reshape("a", "s", "b"), helper.make_node("Concat", ["b", "row"], ["y"], axis=1)]


def stacked() -> Nodes:
    """Two halves one behind the other in the axis of the batch."""
    return [
        reshape("a", "wide", "b"),
        helper.make_node("Concat", ["b", "b"], ["c"], axis=0),
        reshape("c", "two", "y"),
    ]


def resized_by_sizes() -> Nodes:
    return [
        reshape("a", "whole", "b"),
        helper.make_node("Resize", ["b", "none", "none", "sizes"], ["y"], mode="nearest"),
    ]


def normed_over_pictures() -> Nodes:
    return [reshape("a", "flat", "b"), helper.make_node("Softmax", ["b"], ["y"], axis=0)]


def multiplied_with_itself() -> Nodes:
    return [
        reshape("a", "flat", "b"),
        helper.make_node("Transpose", ["b"], ["c"], perm=[1, 0]),
        helper.make_node("MatMul", ["b", "c"], ["y"]),
    ]


def flattened_with_the_batch_inside() -> Nodes:
    """Rows of all pictures by turns: (4, n, 6) as (4 n, 6)."""
    return [
        reshape("a", "s", "b"),
        helper.make_node("Transpose", ["b"], ["c"], perm=[1, 0, 2]),
        reshape("c", "rows", "d"),
        reshape("d", "s", "y"),
    ]


def flattened_by_flatten() -> Nodes:
    nodes = flattened_with_the_batch_inside()
    nodes[2] = helper.make_node("Flatten", ["c"], ["d"], axis=2, name="/net/d")
    return nodes


def tiled() -> Nodes:
    return [
        reshape("a", "wide", "b"),
        helper.make_node("Tile", ["b", "twice"], ["c"]),
        reshape("c", "two", "y"),
    ]


def written_by_place() -> Nodes:
    return [
        reshape("a", "flat", "b"),
        helper.make_node("ScatterND", ["b", "place", "number"], ["y"]),
    ]


def gathered_from_all() -> Nodes:
    """Rows of all pictures as one table, and indices that know of one."""
    return [
        reshape("a", "rows", "b"),
        helper.make_node("Gather", ["b", "i"], ["c"]),
        reshape("c", "s", "y"),
    ]


def gathered_by_the_pictures() -> Nodes:
    return [
        reshape("a", "s", "b"),
        helper.make_node("ArgMax", ["b"], ["at"], axis=1),
        reshape("a", "rows", "c"),
        helper.make_node("Gather", ["c", "at"], ["y"]),
    ]


def fixed_beside_the_main_path() -> Nodes:
    """The batch is squeezed out of one branch only, so the output grows all the same."""
    return [
        reshape("a", "s", "b"),
        reshape("a", "four", "c"),
        reshape("c", "s", "d"),
        helper.make_node("Add", ["b", "d"], ["y"]),
    ]


def one_number() -> Nodes:
    return [reshape("a", "flat", "b"), helper.make_node("ReduceMean", ["b"], ["y"], keepdims=0)]


CONSTANTS = {
    "rows": np.array([-1, 6]),
    "twice": np.array([2, 1, 1]),
    "place": np.array([[0, 3]]),
    "number": picture(1),
    "i": np.array([3, 2, 1, 0]),
    "s": np.array([1, 4, 6]),
    "four": np.array([4, 6]),
    "wide": np.array([1, 1, 24]),
    "flat": np.array([1, 24]),
    "whole": np.array([1, 4, 3, 2]),
    "two": np.array([1, 2, 24]),
    "row": picture(1, 1, 6),
    "none": np.zeros(0, np.float32),
    "sizes": np.array([1, 4, 6, 4]),
}


@pytest.mark.parametrize(
    ("nodes", "culprit"),
    [
        (transposed(), "/net/d"),
        (squeezed(), "/net/b"),
        (moved_to_first_place(), "/net/y"),
        (with_a_constant_row(), "Concat"),
        (stacked(), "Concat"),
        (resized_by_sizes(), "Resize"),
        (normed_over_pictures(), "Softmax"),
        (flattened_with_the_batch_inside(), "/net/d"),
        (flattened_by_flatten(), "/net/d"),
        (tiled(), "Tile"),
        (written_by_place(), "ScatterND"),
        (gathered_from_all(), "Gather"),
        (gathered_by_the_pictures(), "Gather"),
        (fixed_beside_the_main_path(), "/net/c"),
        (one_number(), "ReduceMean"),
        (multiplied_with_itself(), "the first axis of output 'y' is fixed"),
    ],
)
def test_a_graph_that_keeps_its_batch_is_left_and_says_where(nodes: Nodes, culprit: str) -> None:
    first = [helper.make_node("Abs", ["x"], ["a"], name="/net/Abs")]
    used = {name for node in nodes for name in node.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in used}
    model = make_model([*first, *nodes], X, constants=constants)
    after, steps = apply_rules(model, [RULE], [X])
    assert steps == ()
    assert shapes_in(after) == shapes_in(model)
    edited = as_ir(model)
    infer_shapes(edited)
    obstacle = plan_batch(edited.graph, 11).obstacle
    assert obstacle is not None and culprit in obstacle


def test_an_export_says_once_that_a_graph_keeps_its_batch() -> None:
    used = {name for node in with_a_constant_row() for name in node.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in used}
    model = make_model(
        [helper.make_node("Abs", ["x"], ["a"]), *with_a_constant_row()], X, constants=constants
    )
    _, steps = fit_to_board(model, [X], find_target("Ascend310"))
    (step,) = (step for step in steps if step.name == BATCH_STEP)
    assert step.status == "refused"
    assert "Concat" in step.reason


@st.composite
def walks(draw: st.DrawFn) -> Tuple[Tuple[int, ...], List[Tuple[str, Tuple[int, ...]]]]:
    """The shape of a picture, and steps through other shapes that leave the batch in front."""
    factors = draw(st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=4))
    shape: Tuple[int, ...] = (1, *factors)
    start, steps = shape, []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            perm = (0, *draw(st.permutations(range(1, len(shape)))))
            steps.append(("Transpose", perm))
            shape = tuple(shape[axis] for axis in perm)
            continue
        cuts = sorted(draw(st.sets(st.integers(1, len(shape) - 1))))
        ends = [*cuts[1:], len(shape)]
        merged = [int(np.prod(shape[a:b])) for a, b in zip(cuts, ends)] if cuts else []
        merged = [int(np.prod(shape[1 : cuts[0]])), *merged] if cuts and cuts[0] > 1 else merged
        shape = (1, *(merged or [int(np.prod(shape))]))
        steps.append(("Reshape", shape))
    return start, steps


@given(walks())
@settings(max_examples=40, deadline=None)
def test_any_walk_through_shapes_is_the_same_picture_by_picture(
    walk: Tuple[Tuple[int, ...], List[Tuple[str, Tuple[int, ...]]]],
) -> None:
    shape, steps = walk
    feeds = {"x": picture(*shape)}
    nodes, constants, last = [], {}, "x"
    for index, (kind, numbers) in enumerate([*steps, ("Reshape", (1, int(np.prod(shape))))]):
        name = f"v{index}"
        if kind == "Reshape":
            constants[f"s{index}"] = np.array(numbers)
            nodes.append(reshape(last, f"s{index}", name))
        else:
            nodes.append(helper.make_node("Transpose", [last], [name], perm=numbers))
        last = name
    model = make_model(nodes, feeds, last, constants)
    after, _ = apply_once(model, RULE, feeds)
    assert find_batch_fault(after, 0) is None


def test_a_simplifier_that_writes_the_batch_again_is_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make_model([reshape("x", "s", "y")], X, constants={"s": np.array([1, 24])})

    def as_it_was(given: onnx.ModelProto, guard: Guard) -> Tuple[onnx.ModelProto, Step]:
        return model, Step("simplify", "applied", "as it was", 1)

    monkeypatch.setattr(fit, "simplify", as_it_was)
    feeds: List[Feeds] = [X]
    after, steps = fit_to_board(model, feeds, find_target("Ascend310"))
    assert shapes_in(after) == {"y": [-1, 24]}
    assert [step.status for step in steps if step.name == "simplify"] == ["applied", "reverted"]


def test_a_graph_that_keeps_its_batch_is_simplified_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [
        reshape("x", "s", "a"),
        helper.make_node("IsNaN", ["a"], ["b"]),
        helper.make_node("Where", ["b", "row", "a"], ["c"]),
        helper.make_node("Concat", ["c", "row"], ["y"], axis=1),
    ]
    constants = {"s": np.array([1, 4, 6]), "row": CONSTANTS["row"]}
    model = make_model(nodes, X, constants=constants)

    def as_given(given: onnx.ModelProto, guard: Guard) -> Tuple[onnx.ModelProto, Step]:
        return given, Step("simplify", "applied", "as given", 1)

    monkeypatch.setattr(fit, "simplify", as_given)
    _, steps = fit_to_board(model, [X], find_target("Ascend310"))
    assert [step.status for step in steps if step.name == "simplify"] == ["applied", "applied"]


def test_a_file_without_shapes_inside_is_freed_too() -> None:
    nodes = [
        helper.make_node("Abs", ["x"], ["a"]),
        reshape("a", "s", "b"),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    model = make_model(nodes, X, constants={"s": np.array([1, 24])})
    after, _ = fit_to_board(model, [X], find_target("Ascend310"))
    assert op_types(after)[-1] == "Relu"
    assert find_batch_fault(after, 0) is None
