"""Reading and writing parts of tensors: the same values, without scatters and AI CPU steps."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx import helper  # noqa: E402
from rewrite_graphs import (  # noqa: E402
    apply_once,
    apply_rules,
    assert_runs_on_board,
    assert_same_values,
    make_model,
    op_types,
)

from atlas_hpe_export.rewrites import REWRITES, RewriteRule  # noqa: E402
from atlas_hpe_export.rewrites.gather_elements import RULE as GATHER_ELEMENTS  # noqa: E402
from atlas_hpe_export.rewrites.gather_nd import RULE as GATHER_ND  # noqa: E402
from atlas_hpe_export.rewrites.gather_to_slice import RULE as GATHER_TO_SLICE  # noqa: E402
from atlas_hpe_export.rewrites.negative_step import RULE as NEGATIVE_STEP  # noqa: E402
from atlas_hpe_export.rewrites.pad_reflect import RULE as PAD_REFLECT  # noqa: E402
from atlas_hpe_export.rewrites.scatter_elements import RULE as SCATTER_ELEMENTS  # noqa: E402
from atlas_hpe_export.rewrites.scatter_nd import RULE as SCATTER_ND  # noqa: E402
from atlas_hpe_export.rewrites.slice_of_concat import RULE as SLICE_OF_CONCAT  # noqa: E402
from atlas_hpe_export.rewrites.transpose_pairs import RULE as TRANSPOSE_PAIRS  # noqa: E402

SHAPE = (2, 5, 4, 6)


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def tuples_of(shape: Sequence[int], place: Tuple[slice, ...]) -> np.ndarray:
    """The index tuples that a slice names, as torch's exporters write them."""
    grid = np.stack(np.indices(shape), axis=-1)
    return grid[place]


def scatter_model(indices: np.ndarray, updates: np.ndarray) -> Tuple[onnx.ModelProto, dict]:
    feeds = {"x": values(*SHAPE), "v": updates}
    node = helper.make_node("ScatterND", ["x", "i", "v"], ["y"], name="/mix/ScatterND")
    return make_model([node], feeds, constants={"i": indices}), feeds


PLACES: Dict[str, Tuple[slice, ...]] = {
    "the first channels": (slice(None), slice(0, 2)),
    "the last channels": (slice(None), slice(3, None)),
    "channels in the middle": (slice(None), slice(1, 4)),
    "every second row": (slice(None), slice(None), slice(0, None, 2)),
    "a box": (slice(1, 2), slice(1, 3), slice(0, 3), slice(2, 5)),
    "strided in two axes": (slice(None), slice(None), slice(1, None, 2), slice(0, None, 3)),
    "everything": (slice(None),),
}


@pytest.mark.parametrize("name", PLACES)
def test_writing_into_a_slice_is_concat(name: str) -> None:
    indices = tuples_of(SHAPE, PLACES[name])
    model, feeds = scatter_model(indices, values(*indices.shape[:-1]))
    after, _ = apply_once(model, SCATTER_ND, feeds)
    assert set(op_types(after)) <= {"Slice", "Concat", "Gather", "Reshape", "Identity"}
    if "strided" not in name and "second" not in name:
        assert "Gather" not in op_types(after)


def test_rows_of_the_first_axis_are_written_whole() -> None:
    model, feeds = scatter_model(np.array([[1]]), values(1, *SHAPE[1:]))
    after, _ = apply_once(model, SCATTER_ND, feeds)
    assert op_types(after) == ["Slice", "Concat"]


@given(
    places=st.lists(
        st.tuples(st.integers(-2, 1), st.integers(-5, 4)), min_size=1, max_size=6, unique=True
    )
)
@settings(max_examples=25)
def test_places_in_any_order_are_written(places: List[Tuple[int, int]]) -> None:
    wrapped = {(a % 2, b % 5) for a, b in places}
    if len(wrapped) < len(places):
        return  # ONNX leaves open which of two writes to one place counts
    model, feeds = scatter_model(np.array(places), values(len(places), *SHAPE[2:]))
    apply_once(model, SCATTER_ND, feeds)


def test_scatter_indices_that_depend_on_the_data_are_left() -> None:
    feeds = {"x": values(3, 4), "i": np.array([[1]]), "v": values(1, 4)}
    model = make_model([helper.make_node("ScatterND", ["x", "i", "v"], ["y"])], feeds)
    after, steps = apply_rules(model, [SCATTER_ND], [feeds])
    assert op_types(after) == ["ScatterND"]
    assert steps == ()


def test_the_turns_of_torch_export_cancel() -> None:
    """``y[:, :2] += z`` by torch.export: turned, written twice, turned back."""
    x, z = values(1, 5, 4, 6), values(1, 2, 4, 6)
    perm = [1, 0, 2, 3]
    nodes = [
        helper.make_node("Slice", ["x", "zero", "two", "one"], ["s"]),
        helper.make_node("Add", ["s", "z"], ["v"]),
        helper.make_node("Transpose", ["v"], ["vt"], perm=perm),
        helper.make_node("Transpose", ["x"], ["xt"], perm=perm),
        helper.make_node("ScatterND", ["xt", "i", "vt"], ["w"]),
        helper.make_node("Transpose", ["w"], ["first"], perm=perm),
        helper.make_node("Slice", ["first", "zero", "two", "one"], ["again"]),
        helper.make_node("Transpose", ["again"], ["at"], perm=perm),
        helper.make_node("ScatterND", ["w", "i", "at"], ["w2"]),
        helper.make_node("Transpose", ["w2"], ["y"], perm=perm),
    ]
    constants = {
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "i": np.array([[0], [1]]),
    }
    model = make_model(nodes, {"x": x, "z": z}, constants=constants)
    after, _ = apply_rules(model, REWRITES, [{"x": x, "z": z}])
    assert_same_values(model, after, {"x": x, "z": z})
    kinds = op_types(after)
    assert "Transpose" not in kinds
    assert "ScatterND" not in kinds
    assert kinds.count("Concat") == 1, "the second write repeats the first"


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("kind", ["row", "scattered", "negative"])
def test_scatter_elements_with_constant_indices(axis: int, kind: str) -> None:
    x = values(4, 5)
    if kind == "row":
        indices = np.full((1, 5) if axis == 0 else (4, 1), 2)
    else:
        indices = np.array([[0, 3, 1], [2, 0, 3]])
    if kind == "negative":
        indices = indices - x.shape[axis]
    feeds = {"x": x, "v": values(*indices.shape)}
    node = helper.make_node("ScatterElements", ["x", "i", "v"], ["y"], axis=axis)
    model = make_model([node], feeds, constants={"i": indices})
    after, _ = apply_once(model, SCATTER_ELEMENTS, feeds)
    if kind == "row":
        assert set(op_types(after)) <= {"Slice", "Concat"}


def test_scatter_elements_with_computed_indices_is_reported() -> None:
    feeds = {"x": values(3, 4), "i": np.array([[1, 0, 2, 1]]), "v": values(1, 4)}
    model = make_model([helper.make_node("ScatterElements", ["x", "i", "v"], ["y"])], feeds)
    _, steps = apply_rules(model, [SCATTER_ELEMENTS], [feeds])
    assert [(step.status, "depend on the data" in step.reason) for step in steps] == [
        ("refused", True)
    ]


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_gather_elements(axis: int, constant: bool, dtype: type) -> None:
    x = values(3, 4, 5)
    rng = np.random.default_rng(1)
    shape = [2, 3, 4]
    indices = rng.integers(-x.shape[axis], x.shape[axis], shape).astype(dtype)
    node = helper.make_node("GatherElements", ["x", "i"], ["y"], axis=axis)
    feeds: Dict[str, np.ndarray] = {"x": x}
    constants = {"i": indices} if constant else {}
    if not constant:
        feeds["i"] = indices
    model = make_model([node], feeds, constants=constants)
    after, _ = apply_rules(model, [GATHER_ELEMENTS], [feeds])
    assert_same_values(model, after, feeds)
    assert "GatherElements" not in op_types(after)
    assert_runs_on_board(after, ignored=["ai-cpu-type"] if dtype is np.int64 else [])


@pytest.mark.parametrize(
    "indices",
    [
        np.array([[0, 1], [2, -1]]),
        np.array([[1], [0]]),
        np.array([[[0, 0, 0]], [[2, 3, 4]]]),
        np.stack(np.meshgrid([0, 2], [1, 2, 3], indexing="ij"), -1),
    ],
)
def test_gather_nd_with_constant_indices(indices: np.ndarray) -> None:
    x = values(3, 4, 5)
    node = helper.make_node("GatherND", ["x", "i"], ["y"])
    after, _ = apply_once(
        make_model([node], {"x": x}, constants={"i": indices}), GATHER_ND, {"x": x}
    )
    assert set(op_types(after)) <= {"Slice", "Gather", "Reshape"}


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("index", [0, 2, -1, [1], [0, 1, 2], [0, 2], [-2, -1]])
def test_one_entry_or_evenly_spaced_ones_are_a_slice(axis: int, index: object) -> None:
    x = values(4, 3, 5)
    node = helper.make_node("Gather", ["x", "i"], ["y"], axis=axis)
    model = make_model([node], {"x": x}, constants={"i": np.array(index)})
    size = x.shape[axis]
    if np.array_equal(index, np.arange(size)):
        return  # everything: nothing to cut
    after, _ = apply_once(model, GATHER_TO_SLICE, {"x": x})
    assert set(op_types(after)) <= {"Slice", "Squeeze"}


@pytest.mark.parametrize("index", [[1, 0], [0, 0], [0, 1, 3], [[0, 1]]])
def test_other_gathers_are_left(index: object) -> None:
    x = values(4, 3)
    node = helper.make_node("Gather", ["x", "i"], ["y"])
    model = make_model([node], {"x": x}, constants={"i": np.array(index)})
    after, steps = apply_rules(model, [GATHER_TO_SLICE], [{"x": x}])
    assert (op_types(after), steps) == (["Gather"], ())


@given(
    start=st.integers(-9, 9),
    end=st.integers(-9, 9),
    step=st.integers(-3, -1),
    other=st.booleans(),
)
@settings(max_examples=30)
def test_negative_steps(start: int, end: int, step: int, other: bool) -> None:
    x = values(3, 6)
    wanted = x[:, slice(start, end, step)]
    starts, ends, steps, axes = [start], [end], [step], [-1]
    if other:
        starts, ends, steps, axes = [start, 0], [end, 2], [step, 1], [1, 0]
    if not wanted.size:
        return
    constants = {k: np.array(v) for k, v in zip("seap", (starts, ends, axes, steps))}
    node = helper.make_node("Slice", ["x", "s", "e", "a", "p"], ["y"])
    after, _ = apply_once(
        make_model([node], {"x": x}, constants=constants), NEGATIVE_STEP, {"x": x}
    )
    assert not any(
        node.op_type == "Slice" and len(node.input) == 5 and node.input[4] == "p"
        for node in after.graph.node
    )


@pytest.mark.parametrize("rule", [GATHER_ELEMENTS, GATHER_TO_SLICE])
def test_the_first_axis_is_the_default(rule: RewriteRule) -> None:
    x, is_each = values(3, 4), rule is GATHER_ELEMENTS
    indices = np.array([[2, 0, 1, 1]]) if is_each else np.array([0, 1])
    node = helper.make_node("GatherElements" if is_each else "Gather", ["x", "i"], ["y"])
    apply_once(make_model([node], {"x": x}, constants={"i": indices}), rule, {"x": x})


def test_negative_steps_without_axes_count_from_the_first() -> None:
    x = values(3, 6)
    constants = {"s": np.array([2, 5]), "e": np.array([-4, 1]), "p": np.array([-1, -2])}
    node = helper.make_node("Slice", ["x", "s", "e", "", "p"], ["y"])
    apply_once(make_model([node], {"x": x}, constants=constants), NEGATIVE_STEP, {"x": x})


def test_flip_reaches_the_first_entry() -> None:
    x = values(3, 6)
    constants = {
        "s": np.array([-1]),
        "e": np.array([-(2**63)]),
        "a": np.array([1]),
        "p": np.array([-1]),
    }
    node = helper.make_node("Slice", ["x", "s", "e", "a", "p"], ["y"])
    model = make_model([node], {"x": x}, constants=constants)
    after, _ = apply_once(model, NEGATIVE_STEP, {"x": x})
    assert op_types(after) == ["Gather"]


@pytest.mark.parametrize(
    "pads", [[0, 0, 1, 2, 0, 0, 3, 1], [0, 0, 0, 3, 0, 0, 0, 0], [1, 0, 1, 1, 1, 0, 1, 1]]
)
def test_mirrored_padding_is_a_choice_of_pixels(pads: List[int]) -> None:
    x = values(2, 3, 4, 5)
    node = helper.make_node("Pad", ["x", "p"], ["y"], mode="reflect")
    model = make_model([node], {"x": x}, constants={"p": np.array(pads)})
    after, _ = apply_once(model, PAD_REFLECT, {"x": x})
    assert set(op_types(after)) == {"Gather"}


def test_constant_padding_is_left() -> None:
    x = values(2, 3)
    node = helper.make_node("Pad", ["x", "p"], ["y"])
    model = make_model([node], {"x": x}, constants={"p": np.array([1, 1, 0, 0])})
    assert apply_rules(model, [PAD_REFLECT], [{"x": x}])[1] == ()


@given(st.permutations(range(4)), st.permutations(range(4)))
@settings(max_examples=15)
def test_two_transposes_are_one_or_none(first: List[int], second: List[int]) -> None:
    x = values(2, 3, 4, 5)
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=first),
        helper.make_node("Transpose", ["a"], ["b"], perm=second),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    after, _ = apply_once(make_model(nodes, {"x": x}), TRANSPOSE_PAIRS, {"x": x})
    is_none = [first[axis] for axis in second] == list(range(4))
    assert op_types(after) == ([] if is_none else ["Transpose"]) + ["Relu"]


@pytest.mark.parametrize(
    ("cut", "found"),
    [((0, 2), True), ((2, 5), True), ((2, 99), True), ((1, 3), False), ((-3, 5), True)],
)
def test_a_slice_of_a_part_is_the_part(cut: Tuple[int, int], found: bool) -> None:
    feeds = {"a": values(3, 2), "b": values(3, 3)}
    nodes = [
        helper.make_node("Concat", ["a", "b"], ["c"], axis=-1),
        helper.make_node("Slice", ["c", "s", "e", "one"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    constants = {"s": np.array([cut[0]]), "e": np.array([cut[1]]), "one": np.array([1])}
    model = make_model(nodes, feeds, constants=constants)
    after, steps = apply_rules(model, [SLICE_OF_CONCAT], [feeds])
    assert_same_values(model, after, feeds)
    assert [step.status for step in steps] == (["applied"] if found else [])
    assert op_types(after) == (["Relu"] if found else ["Concat", "Slice", "Relu"])
