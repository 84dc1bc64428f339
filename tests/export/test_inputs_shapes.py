"""``--input-shape``: what can be read, and which input a shape belongs to."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from atlas_hpe.errors import UsageError  # noqa: E402
from atlas_hpe_export.inputs.input_shapes import (  # noqa: E402
    InputShape,
    make_examples,
    match_shapes,
    parse_input_shapes,
)

SHAPES = st.lists(st.integers(1, 9999), min_size=1, max_size=8).map(tuple)


@given(SHAPES, st.text(max_size=12).filter(lambda text: text != ""))
def test_a_written_shape_is_read_back(shape: tuple, name: str) -> None:
    dims = ",".join(str(dim) for dim in shape)
    assert parse_input_shapes([dims]) == (InputShape(None, shape),)
    assert parse_input_shapes([f"{name}:{dims}"]) == (InputShape(name, shape),)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        (found,) = parse_input_shapes([text])
    except UsageError as error:
        assert "--input-shape 1,3,256,256" in str(error)
    else:
        assert all(dim > 0 for dim in found.shape)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1x3x256x256", "1,3,256,", ",1", "1,0,3", "1,-1,3", "-1", "1, 3", "1.0,3", "image:"),
        *("1,1,1,1,1,1,1,1,1", "99999999999", "1\u0663"),
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="an input shape can't be read"):
        parse_input_shapes([text])


def test_names_are_all_or_none_and_once() -> None:
    with pytest.raises(UsageError, match="some have none"):
        parse_input_shapes(["1,3", "a:1,3"])
    with pytest.raises(UsageError, match="two shapes are given for the same input"):
        parse_input_shapes(["a:1,3", "a:1,3"])
    assert parse_input_shapes([]) == ()


@given(st.permutations(["a", "b:0", "c"]))
def test_names_decide_and_not_the_order(order: list) -> None:
    shapes = parse_input_shapes([f"{name}:{index + 1}" for index, name in enumerate(order)])
    found = match_shapes(shapes, ["a", "b:0", "c"])
    assert found == tuple((order.index(name) + 1,) for name in ["a", "b:0", "c"])


def test_inputs_with_defaults_may_be_left_out_from_the_end() -> None:
    names = ["a", "b", "c"]
    two = parse_input_shapes(["1", "2"])
    assert match_shapes(two, names, least=1) == ((1,), (2,))
    with pytest.raises(UsageError, match="2 input shapes do not fit"):
        match_shapes(two, names)
    with pytest.raises(UsageError, match="2 input shapes do not fit"):
        match_shapes(parse_input_shapes(["a:1", "c:2"]), names, least=1)


def test_examples_are_zeros_of_bounded_size() -> None:
    one, two = make_examples([(1, 2), ()], [torch.float32, torch.int64])
    assert (one.shape, one.dtype, two.dtype) == ((1, 2), torch.float32, torch.int64)
    assert not one.any()
    with pytest.raises(UsageError, match="they take 1099511627776 bytes, 1073741824 are allowed"):
        make_examples([(1 << 19, 1 << 19)])
    with pytest.raises(UsageError, match="larger than any network's"):
        make_examples([(1 << 27,), (1 << 27,), (1,)])
