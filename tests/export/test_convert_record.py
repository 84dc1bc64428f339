"""What the card of a compiled model says was built, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest

from atlas_hpe.card import BuildRecord, ModelCard, PreprocessSpec
from atlas_hpe_export.convert import AtcCommand
from atlas_hpe_export.convert.record import (
    built_card,
    input_shapes_of,
)
from tiny_onnx import hand_card

COMMAND = ("atc", "--model=hand.onnx", "--input_shape=image:1,3,16,16")


def make_card() -> ModelCard:
    preprocess = PreprocessSpec(16, 16, "rgb", "stretch", (0.0,) * 3, (255.0,) * 3)
    return hand_card(preprocess, {"joints": (1, 21, 2), "presence": (1, 1)})


def make_record(*flags: str) -> BuildRecord:
    options = AtcCommand(("--framework=5", "--soc_version=Ascend310", *flags)).values
    return BuildRecord("atc 5.0.4", False, options, "a", "b", 2.5, 900.0, "x86_64 Linux")


def build(*flags: str, card: Optional[ModelCard] = None) -> ModelCard:
    return built_card(card or make_card(), make_record(*flags), "hand.om", COMMAND)


def test_shapes_are_read_as_atc_reads_them() -> None:
    assert input_shapes_of("a:0:1,3;b:-1") == {"a:0": (1, 3), "b": (-1,)}
    assert input_shapes_of("") == {}
    with pytest.raises(ValueError, match="x"):
        input_shapes_of("a:1,x")


def test_the_card_says_what_was_compiled_how_and_from_what() -> None:
    card = build("--log=error")
    provenance = card.provenance
    assert provenance.build == make_record("--log=error")
    assert provenance.atc_command == "atc --model=hand.onnx --input_shape=image:1,3,16,16"
    assert provenance.soc == "Ascend310"
    assert card.graphs[0].file == "hand.om"
    assert provenance.network == make_card().provenance.network
    assert (card.decode, card.preprocess) == (make_card().decode, make_card().preprocess)


def test_the_command_can_be_pasted_into_a_shell() -> None:
    command = ("atc", "--input_shape=a:1;b:2", "--model=my hand.onnx")
    card = built_card(make_card(), make_record(), "hand.om", command)
    assert card.provenance.atc_command == "atc '--input_shape=a:1;b:2' '--model=my hand.onnx'"
    assert built_card(make_card(), make_record(), "hand.om").provenance.atc_command is None


@pytest.mark.parametrize(
    ("flag", "precision"),
    [
        ("--log=error", "float16"),
        ("--precision_mode=force_fp16", "float16"),
        ("--precision_mode=allow_mix_precision", "float16"),
        ("--precision_mode=force_fp32", "float32"),
        ("--precision_mode=must_keep_origin_dtype", "float32"),
        ("--precision_mode_v2=origin", "float32"),
    ],
)
def test_the_precision_is_the_one_it_computes_in(flag: str, precision: str) -> None:
    assert build(flag).provenance.precision == precision


def test_types_that_atc_was_told_are_those_of_the_card() -> None:
    card = build("--input_fp16_nodes=image", "--output_type=FP16")
    assert [spec.dtype for spec in card.graphs[0].inputs] == ["float16"]
    assert [spec.dtype for spec in card.graphs[0].outputs] == ["float16", "float16"]
    assert card.preprocess.dtype == "float16"
    plain = build("--input_fp16_nodes=other", "--output_type=joints:0:FP16")
    assert plain.graphs[0].inputs == make_card().graphs[0].inputs
    assert plain.graphs[0].outputs == make_card().graphs[0].outputs
    assert plain.preprocess.dtype == "float32"


def test_a_fixed_shape_is_the_card_s_and_an_open_axis_stays_as_it_was() -> None:
    assert build("--input_shape=image:4,3,16,16").graphs[0].inputs[0].shape == (4, 3, 16, 16)
    assert build("--input_shape=image:-1,3,16,16").graphs[0].inputs[0].shape == (1, 3, 16, 16)
    assert build("--input_shape=image:1~4,3,16,16").graphs[0].inputs == make_card().graphs[0].inputs
    assert build("--input_shape=other:4").graphs[0].inputs == make_card().graphs[0].inputs


def test_a_picture_for_aipp_keeps_its_own_shape_but_for_the_batch() -> None:
    card = make_card()
    spec = replace(card.graphs[0].inputs[0], shape=(1, 24, 16, 1), dtype="uint8", layout="NHWC")
    card = replace(card, graphs=(replace(card.graphs[0], inputs=(spec,)),))
    assert build("--input_shape=image:4,3,16,16", card=card).graphs[0].inputs[0].shape == (
        *(4, 24, 16, 1),
    )
