"""Einsum as matrix products: equations that networks use, and any equation at all."""

from __future__ import annotations

from typing import Dict, Sequence, Tuple

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnx_ir")
pytest.importorskip("onnxruntime")

from expansion_graphs import draw, off_the_cores, refusal  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx_graphs import lowered, one_node, operators  # noqa: E402

from atlas_hpe_export.lowering.expansions.einsum_equation import read_equation  # noqa: E402
from atlas_hpe_export.runners import run_model  # noqa: E402

Shapes = Sequence[Tuple[int, ...]]

EQUATIONS: Dict[str, Shapes] = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "bhqd,bhkd->bhqk": [(2, 3, 4, 5), (2, 3, 6, 5)],
    "bqhd,bkhd->bhqk": [(2, 4, 3, 5), (2, 6, 3, 5)],
    "bhqk,bkhd->bqhd": [(2, 3, 4, 6), (2, 6, 3, 5)],
    "nctv,vw->nctw": [(2, 3, 4, 5), (5, 5)],
    "nctv,kvw->nkctw": [(1, 3, 4, 5), (2, 5, 5)],
    "bjhw,hw->bj": [(1, 21, 4, 5), (4, 5)],
    "bn,anm,bm->ba": [(2, 3), (4, 3, 5), (2, 5)],
    "ij,jk,kl->il": [(2, 3), (3, 4), (4, 5)],
    "ij,ij,ij->j": [(2, 3), (2, 3), (2, 3)],
    "i,i->": [(5,), (5,)],
    "i,i->i": [(5,), (5,)],
    "i,j->ij": [(5,), (4,)],
    "i,->i": [(3,), ()],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "ij": [(2, 3)],
    "ji": [(2, 3)],
    "ij,jk": [(2, 3), (3, 4)],
    "ba,ac": [(2, 3), (3, 4)],
    " i j , j k -> i k ": [(2, 3), (3, 4)],
    "...ij,...jk->...ik": [(7, 2, 3), (7, 3, 4)],
    "...ij,...jk": [(7, 2, 3), (7, 3, 4)],
    "...i->...": [(2, 3, 4)],
    "...i,...i->...": [(1, 3, 4), (2, 3, 4)],
    "ii->i": [(4, 4)],
    "ii": [(4, 4)],
    "iij->ij": [(3, 3, 2)],
    "iji->j": [(3, 2, 3)],
    "iijj->ij": [(3, 3, 2, 2)],
    "iii->i": [(3, 3, 3)],
    "ii,ij->j": [(3, 3), (3, 2)],
    "ik,kj->ij": [(2, 1), (3, 4)],
}


def einsum_model(equation: str, arrays: Sequence[np.ndarray]) -> Tuple[onnx.ModelProto, Dict]:
    feeds = {f"x{index}": array for index, array in enumerate(arrays)}
    return one_node("Einsum", feeds, opset=12, equation=equation), feeds


@pytest.mark.parametrize("equation", EQUATIONS)
def test_values_are_those_of_onnx_runtime(equation: str) -> None:
    arrays = [draw(*shape, seed=at) for at, shape in enumerate(EQUATIONS[equation])]
    lowered(*einsum_model(equation, arrays), share=1e-5)
    integers = [np.asarray(8 * array, np.int32) for array in arrays]
    lowered(*einsum_model(equation, integers))


@settings(max_examples=60)
@given(data=st.data())
def test_any_equation_has_the_values_of_numpy(data: st.DataObject) -> None:
    sizes = {letter: data.draw(st.integers(1, 4), letter) for letter in "abcde"}
    terms = data.draw(st.lists(st.text("abcde", max_size=4), min_size=1, max_size=3))
    letters = sorted(set("".join(terms)))
    kept = st.lists(st.sampled_from(letters), unique=True) if letters else st.just([])
    output = "".join(data.draw(kept))
    equation = f"{','.join(terms)}->{output}"
    arrays = [draw(*[sizes[letter] for letter in term], seed=at) for at, term in enumerate(terms)]
    model, feeds = einsum_model(equation, arrays)
    after = lowered(model, feeds, share=1e-5)
    want = np.einsum(equation, *arrays, dtype=np.float64)
    np.testing.assert_allclose(run_model(after, [feeds])[0]["y"], want, rtol=1e-4, atol=1e-4)


def test_ellipses_of_two_lengths_broadcast_from_the_right() -> None:
    equation = read_equation("...i,...->...i", [4, 1])
    assert equation.terms[0][:-1].endswith(equation.terms[1])
    assert equation.output == equation.terms[0]


@pytest.mark.parametrize(
    ("equation", "ranks", "said"),
    [
        ("ij,jk->ik", [2], "2 terms for 1 operands"),
        ("ij->i", [3], "does not fit 3 axes"),
        ("ij...->i", [1], "does not fit 1 axes"),
        ("ij->ik", [2], "can't be read at 'k'"),
        ("ij->ii", [2], "can't be read at 'i'"),
        ("i?->i", [2], "can't be read at '?'"),
    ],
)
def test_what_an_equation_can_not_say(equation: str, ranks: Sequence[int], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        read_equation(equation, ranks)


def test_attention_is_two_matrix_products_on_the_ai_core() -> None:
    after = lowered(*einsum_model("bhqd,bhkd->bhqk", [draw(1, 2, 3, 4), draw(1, 2, 5, 4)]))
    assert list(operators(after)) == ["Transpose", "MatMul"]
    for equation, shapes in EQUATIONS.items():
        model, feeds = einsum_model(equation, [draw(*shape) for shape in shapes])
        assert off_the_cores(lowered(model, feeds, share=1e-5)) == [], equation


@pytest.mark.parametrize(
    ("equation", "emitted"),
    [
        ("ncthw,ncw->nct", ["ReduceSum", "Reshape", "MatMul", "Reshape"]),
        ("ncw,ncthw->nct", ["ReduceSum", "Reshape", "Transpose", "MatMul", "Reshape"]),
    ],
)
def test_axes_of_one_operand_are_summed_before_the_product(equation: str, emitted: list) -> None:
    shapes = {"ncw": (1, 2, 5), "ncthw": (1, 2, 3, 4, 5)}
    arrays = [draw(*shapes[term]) for term in equation.split("->")[0].split(",")]
    assert list(operators(lowered(*einsum_model(equation, arrays), share=1e-5))) == emitted


def test_unknown_sizes_are_refused() -> None:
    model, feeds = einsum_model("ij,jk->ik", [draw(2, 3), draw(3, 4)])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "rows"
    assert "Einsum '/net/Einsum': the shape of its input" in refusal(model, feeds)
