"""What lies beside a compiled model: a card that says what was built, or the record alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Optional

import pytest

from atlas_hpe.card import BuildRecord, ModelCard, PreprocessSpec, load_card
from atlas_hpe.errors import CardError, OutputError
from atlas_hpe_export.convert.record import (
    build_path_of,
    built_card,
    check_record_path,
    host_name,
    input_shapes_of,
    options_of,
    write_record,
)
from tiny_onnx import hand_card

COMMAND = ("atc", "--model=hand.onnx", "--input_shape=image:1,3,16,16")


def make_card() -> ModelCard:
    preprocess = PreprocessSpec(16, 16, "rgb", "stretch", (0.0,) * 3, (255.0,) * 3)
    return hand_card(preprocess, {"joints": (1, 21, 2), "presence": (1, 1)})


def make_record(*flags: str) -> BuildRecord:
    options = options_of(("--framework=5", "--soc_version=Ascend310", *flags))
    return BuildRecord("atc 5.0.4", False, options, "a", "b", 2.5, 900.0, "x86_64 Linux")


def build(*flags: str, card: Optional[ModelCard] = None) -> ModelCard:
    return built_card(card or make_card(), make_record(*flags), "hand.om", COMMAND)


def test_flags_are_read_as_atc_reads_them() -> None:
    flags = ("--soc_version=Ascend310", "--log=info", "--log=error", "--a=b=c", "--help")
    assert options_of(flags) == {
        "soc_version": "Ascend310",
        "log": "error",
        "a": "b=c",
        "help": "true",
    }


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


def test_the_card_beside_the_model_is_found(tmp_path: Path) -> None:
    om = tmp_path / "hand.om"
    card = build()
    assert write_record(om, make_record(), card, COMMAND) == tmp_path / "hand.om.json"
    assert load_card(om) == card


def test_without_a_card_the_record_is_kept_and_is_taken_for_no_card(tmp_path: Path) -> None:
    om = tmp_path / "hand.om"
    om.write_bytes(b"IMOD")
    path = write_record(om, make_record(), None, ("atc", "--model=my hand.onnx"))
    assert path == build_path_of(om) == tmp_path / "hand.om.build.json"
    found = json.loads(path.read_text())
    assert found["atc_command"] == "atc '--model=my hand.onnx'"
    assert found["build"]["compiler"] == "atc 5.0.4"
    with pytest.raises(CardError, match="no card"):
        load_card(om)


@pytest.mark.parametrize("first_has_card", [True, False])
def test_what_an_earlier_model_left_does_not_pass_for_this_one_s(
    tmp_path: Path, first_has_card: bool
) -> None:
    om = tmp_path / "hand.om"
    om.write_bytes(b"IMOD")
    first, second = (build(), None) if first_has_card else (None, build())
    write_record(om, make_record(), first)
    if first_has_card:
        with pytest.raises(OutputError, match="exists"):
            check_record_path(om, second, force=False)
    else:
        check_record_path(om, second, force=False)
    write_record(om, make_record(), second, force=True)
    names = {path.name for path in tmp_path.iterdir()} - {"hand.om"}
    assert names == ({"hand.om.build.json"} if first_has_card else {"hand.om.json"})


def test_a_record_that_exists_is_kept_unless_forced(tmp_path: Path) -> None:
    om = tmp_path / "hand.om"
    write_record(om, make_record(), build())
    before = (tmp_path / "hand.om.json").read_bytes()
    for card in (build("--log=info"), None):
        with pytest.raises(OutputError, match="exists"):
            write_record(om, make_record(), card)
    assert (tmp_path / "hand.om.json").read_bytes() == before


def test_the_host_has_a_name() -> None:
    assert host_name()
