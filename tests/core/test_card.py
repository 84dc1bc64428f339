"""The card's JSON form, its published schema, and what a bad card is answered with."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Tuple

import jsonschema
import pytest
from example_cards import cards, plain_card
from hypothesis import given, settings
from hypothesis import strategies as st

import atlas_hpe.card
from atlas_hpe.aipp import CSC_MATRICES
from atlas_hpe.card import (
    INPUT_FORMS,
    AippInput,
    BuildRecord,
    ModelCard,
    PreprocessSpec,
    Provenance,
    card_from_json,
    card_to_json,
    json_form,
)
from atlas_hpe.errors import CardError

SCHEMA = Path(atlas_hpe.card.__file__).with_name("card.schema.json")
# Stands for a number whose digits are JSON, but which no 64-bit float holds.
TOO_LARGE = "number too large"


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def reader_accepts(text: str) -> bool:
    try:
        card_from_json(text, "test")
    except CardError:
        return False
    return True


def schema_accepts(validator: Any, text: str) -> bool:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        document = json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return bool(validator.is_valid(document))


@given(cards())
def test_a_card_survives_its_json_form(card: ModelCard) -> None:
    assert card_from_json(card_to_json(card), "test") == card


@given(cards())
def test_the_schema_accepts_what_is_written(validator: Any, card: ModelCard) -> None:
    assert schema_accepts(validator, card_to_json(card))


def places(value: object, path: Tuple[object, ...] = ()) -> List[Tuple[object, ...]]:
    """The paths of the values of a JSON document, its root first.

    Of the 21 equal joint indices one is enough.
    """
    found = [path]
    if isinstance(value, list) and len(value) == 21:
        value = value[:1]
    if isinstance(value, dict):
        items: Any = value.items()
    else:
        items = enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


BUILD = BuildRecord("atc 5", False, {"soc": "x"}, "22", "33", 1.5, 2.5, "here")
# Fixed cards, because drawing whole ones takes longer than the mutations that matter here.
BASES = [
    replace(plain_card(), joint_order=(0,) * 21),
    replace(
        plain_card(),
        preprocess=PreprocessSpec(8, 8, "gray", "stretch", (0.5,), (0.5,)),
        provenance=Provenance(
            network="toy",
            checkpoint="a.pt",
            checkpoint_sha256="00",
            licence="MIT",
            attribution=("us",),
            frontend="torchscript",
            options={"arch": "toy"},
            rewrites=("fold",),
            refused=("split: odd",),
            opset=11,
            graph_sha256="11",
            tools={"torch": "2"},
            parity={"px": 0.1},
            build=BUILD,
        ),
    ),
    replace(
        plain_card(),
        preprocess=replace(
            plain_card().preprocess,
            where="aipp",
            aipp=AippInput("nv12", 12, 16, "bt709-wide", (2, 4, 5, 6), (1, 2, 0, 2)),
        ),
    ),
    replace(
        plain_card(),
        preprocess=replace(plain_card().preprocess, where="graph", aipp=AippInput("rgb", 8, 8)),
    ),
]

# Near misses: each is right somewhere in a card, and wrong almost everywhere else.
REPLACEMENTS: List[object] = [
    *(None, True, False, 0, 1, 21, -1, 0.0, 1.0, 2.5, 1e300, 10**400, -(10**400)),
    *(float("nan"), float("-inf"), TOO_LARGE, "", "x", "rgb", "gray", "float32"),
    *("hand21", "hand-2d", "ND", "NCHW", "host", "mean", [], [1], [1.5], ["x"], [0] * 21),
    *("aipp", "graph", "nv21", "bgr", "bt601-narrow", 32, 33, [0, 0, 1, 1], [1, 1, 1, 0]),
    {"form": "gray", "width_px": 1, "height_px": 1},
    *([1, 1, 1], {}, {"x": "y"}, {"x": 1}, {"x": None}),
]


def changed(document: Any, path: Tuple[object, ...], change: str, value: object) -> Any:
    """The document with the value at a path replaced, removed or repeated, or one put beside it."""
    document = copy.deepcopy(document)
    if not path:
        return value
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    if change == "remove":
        del parent[key]
    elif change == "replace":
        parent[key] = value
    elif isinstance(parent, list):
        parent.append(parent[key] if change == "repeat" else value)
    else:
        parent["extra"] = value
    return document


def to_text(document: object) -> str:
    return json.dumps(document).replace(f'"{TOO_LARGE}"', "1e400")


@pytest.mark.parametrize("base", range(len(BASES)))
def test_the_schema_and_the_reader_agree_on_every_single_damage(validator: Any, base: int) -> None:
    document = json.loads(card_to_json(BASES[base]))
    damages = [("remove", None), ("repeat", None), *(("replace", new) for new in REPLACEMENTS)]
    for path in places(document):
        for change, value in damages:
            text = to_text(changed(document, path, change, value))
            assert schema_accepts(validator, text) == reader_accepts(text), text


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The JSON text of a card with one to three values damaged."""
    document: Any = json.loads(card_to_json(draw(st.sampled_from(BASES))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document)))
        change = draw(st.sampled_from(["replace", "remove", "add", "repeat"]))
        document = changed(document, path, change, draw(st.sampled_from(REPLACEMENTS)))
    return to_text(document)


@settings(max_examples=300)
@given(mutated())
def test_the_schema_and_the_reader_agree_on_damaged_cards(validator: Any, text: str) -> None:
    assert schema_accepts(validator, text) == reader_accepts(text), text


@given(mutated())
def test_a_damaged_card_that_is_still_valid_can_be_written_again(text: str) -> None:
    if reader_accepts(text):
        card = card_from_json(text, "test")
        assert card_from_json(card_to_json(card), "test") == card


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 400])
def test_numbers_that_are_no_json_or_no_float_are_refused_by_both(
    validator: Any, constant: str
) -> None:
    text = card_to_json(plain_card()).replace('"crop_scale": 1.0', f'"crop_scale": {constant}')
    assert constant in text
    assert not schema_accepts(validator, text)
    assert not reader_accepts(text)


def test_a_card_from_before_the_tilt_was_told_stands_any(validator: Any) -> None:
    document = json.loads(card_to_json(plain_card()))
    del document["preprocess"]["max_tilt_deg"]
    text = json.dumps(document)
    assert schema_accepts(validator, text)
    assert card_from_json(text, "test").preprocess.max_tilt_deg is None


def test_the_schema_names_every_field_of_the_dataclasses() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    card = plain_card()
    pairs = [
        (card, schema),
        (card.graphs[0], schema["$defs"]["graph"]),
        (card.graphs[0].inputs[0], schema["$defs"]["tensor"]),
        (card.preprocess, schema["$defs"]["preprocess"]),
        (AippInput("rgb", 8, 8), schema["$defs"]["aipp"]),
        (card.decode, schema["$defs"]["decode"]),
        (card.provenance, schema["$defs"]["provenance"]),
        (BUILD, schema["$defs"]["build"]),
    ]
    for part, definition in pairs:
        assert is_dataclass(part)
        assert {field.name for field in fields(part)} == set(definition["properties"])


def test_the_names_of_forms_and_matrices_are_those_of_the_arithmetic() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]["aipp"]["properties"]
    assert tuple(schema["form"]["enum"]) == INPUT_FORMS
    assert schema["matrix"]["enum"] == [*CSC_MATRICES, None]
    assert tuple(CSC_MATRICES) == json_form.YUV_MATRICES


def change(path: str, value: object) -> str:
    """The plain card with the value at ``a.b.0`` replaced."""
    document = json.loads(card_to_json(plain_card()))
    parent: Any = document
    *parents, last = path.split(".")
    for key in parents:
        parent = parent[int(key)] if isinstance(parent, list) else parent[key]
    parent[int(last) if isinstance(parent, list) else last] = value
    return json.dumps(document)


def without(member: str) -> str:
    document: Dict[str, object] = json.loads(card_to_json(plain_card()))
    del document[member]
    return json.dumps(document)


FIX = "export the model again, or correct the card by card.schema.json"
BAD_CARDS = [
    (change("task", "feet"), "task", 'one of hand-2d, hand-3d, two-hands-3d, depth-hand-3d, '
     'hand-detect, found "feet"'),
    (without("decode"), "", "an object with the member 'decode', found an object of 8"),
    (change("shoe_size", 44), "", "an object without the unknown member 'shoe_size', found "
     "an object of 10"),
    (change("name", ""), "name", 'a string that is not empty, found ""'),
    (change("graphs", []), "graphs", "an array of 1 or more elements, found an array of 0"),
    (change("graphs", {}), "graphs", "an array, found an object of 0"),
    (change("graphs.0.inputs.0.shape.2", 0), "graphs[0].inputs[0].shape[2]",
     "an integer of at least 1, found 0"),
    (change("graphs.0.inputs.0.dtype", "float"), "graphs[0].inputs[0].dtype",
     'one of float32, float16, int32, int64, uint8, int8, bool, found "float"'),
    (change("preprocess.width_px", "128"), "preprocess.width_px",
     'an integer of at least 1, found "128"'),
    (change("preprocess.width_px", True), "preprocess.width_px",
     "an integer of at least 1, found true"),
    (change("preprocess.mean", [0.5]), "preprocess.mean",
     "an array of 3 elements, found an array of 1"),
    (change("preprocess.std.1", 0), "preprocess.std[1]", "a number above 0, found 0"),
    (change("preprocess.where", "aipp"), "preprocess",
     "an object whose 'aipp' says what is fed, as 'where' is aipp, found an object of 13"),
    (change("preprocess.aipp", {"form": "rgb", "width_px": 8, "height_px": 8}), "preprocess",
     "an object without 'aipp', or one whose 'where' is aipp or graph, found an object of 13"),
    (change("preprocess.aipp", {"form": "jpeg", "width_px": 8, "height_px": 8}),
     "preprocess.aipp.form", 'one of nv12, nv21, rgb, bgr, xrgb, gray, found "jpeg"'),
    (change("preprocess.aipp", {"form": "nv12", "width_px": 8, "height_px": 8}),
     "preprocess.aipp", "an object with the member 'matrix', as the form is nv12, "
     "found an object of 3"),
    (change("preprocess.aipp", {"form": "rgb", "width_px": 8, "height_px": 8, "matrix": "x"}),
     "preprocess.aipp.matrix", 'null, as the form is rgb, found "x"'),
    (change("preprocess.aipp", {"form": "rgb", "width_px": 8, "height_px": 8,
                                "padding": [0, 33, 0, 0]}),
     "preprocess.aipp.padding[1]", "an integer of at most 32, found 33"),
    (change("preprocess.mean.0", None), "preprocess.mean[0]", "a number, found null"),
    (change("decode.outputs", ["x"]), "decode.outputs", "an object, found an array of 1"),
    (change("decode.outputs.heatmaps", 3), "decode.outputs.heatmaps",
     "a string that is not empty, found 3"),
    (change("provenance.parity", {"joint_max_px": "small"}), "provenance.parity.joint_max_px",
     'a number, found "small"'),
    (change("joint_order", [0] * 20), "joint_order",
     "an array of 21 elements, found an array of 20"),
    (change("skeleton", "coco17"), "skeleton", 'one of hand21, found "coco17"'),
    ("[]", None, "found null, this release reads 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "why"), BAD_CARDS)
def test_a_bad_card_is_answered_with_path_reason_and_fix(text: str, path: str, why: str) -> None:
    with pytest.raises(CardError) as caught:
        card_from_json(text, "hand.onnx")
    error = caught.value
    if path is None:
        assert error.why == why
        return
    assert error.what == "the model card does not follow its schema"
    assert error.where == "hand.onnx, card" + (f".{path}" if path else "")
    assert error.why == f"must be {why}"
    assert error.fix == FIX


@pytest.mark.parametrize(
    ("version", "found"), [(0, "0"), (2, "2"), ("1", '"1"'), (None, "null"), (True, "true")]
)
def test_a_card_of_another_version_is_refused(version: object, found: str) -> None:
    with pytest.raises(CardError) as caught:
        card_from_json(change("card_version", version), "hand.onnx")
    assert str(caught.value) == (
        "the model card has a version that this release does not read\n"
        "  where: hand.onnx, card.card_version\n"
        f"  why: found {found}, this release reads 1\n"
        "  fix: use the atlas-hpe release that wrote the card, or export the model again"
    )


@pytest.mark.parametrize("text", ["", "{", "\ufeff{}", "[" * 100_000, '{"card_version": NaN}'])
def test_text_that_is_not_json_is_one_clear_error(text: str) -> None:
    with pytest.raises(CardError) as caught:
        card_from_json(text, "hand.onnx")
    assert caught.value.what == "the model card is not JSON"
    assert caught.value.where == "hand.onnx"
    assert caught.value.why


@given(st.text(max_size=60))
def test_any_text_is_a_card_or_a_card_error(text: str) -> None:
    reader_accepts(text)
