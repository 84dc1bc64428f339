"""``atlas-hpe inspect`` of compiled and of simulated models; see test_small_commands for ONNX."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Dict

import pytest
from click.testing import CliRunner

import tiny_onnx
from atlas_hpe.aipp import AippSpec, DynamicAipp
from atlas_hpe.card import BuildRecord, card_path_of, card_to_json, load_card
from atlas_hpe.cli import cli
from atlas_hpe.errors import AtlasHpeError, ModelFileError
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from om_files import Model, Port, build_om, typical_attributes


def output_of(*arguments: object) -> str:
    words = [str(word) for word in arguments]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return str(result.stdout if hasattr(result, "stdout") else result.output)


@pytest.fixture
def om(tmp_path: Path) -> Path:
    path = tmp_path / "hand.om"
    path.write_bytes(build_om([Model(attributes=typical_attributes())]))
    return path


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    path = tmp_path / "hand.simulated.om"
    picture = AippSpec("rgb", 16, 16, (0, 0, 0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    model = SimulatedModel(
        onnx=tiny_onnx.hand_model(),
        precision="fp32",
        input_shapes={"image": (-1, 3, 16, 16)},
        dynamic_batch=(1, 4),
        aipp={"image": picture, "other": DynamicAipp(5000)},
        output_dtypes={"joints": "float16"},
        fp16_inputs=("second",),
    )
    write_simulated_model(path, model)
    return path


def write_card(model: Path, build: bool = False, simulated: bool = False) -> None:
    onnx = model.with_name("card.onnx")
    onnx.write_bytes(tiny_onnx.hand_model())
    card = load_card(onnx)
    measured = replace(card.provenance, parity={"joint_max_px": 0.25})
    card = replace(card, provenance=measured)
    if build:
        compiler = "the simulator" if simulated else "atc 5.0.4"
        hashes = ("0" * 64, "1" * 64)
        record = BuildRecord(compiler, simulated, {}, *hashes, 12.34, None, "x86_64")
        card = replace(card, provenance=replace(card.provenance, build=record))
    card_path_of(model).write_text(card_to_json(card), encoding="utf-8")


def test_a_real_om_is_shown_without_cann(shared_data: Path) -> None:
    text = output_of("inspect", shared_data / "om" / "hh_om.om")
    for part in ("hh_om.om: a compiled model (.om)", "Ascend310", "CANN 5.0.4.alpha002"):
        assert part in text
    assert "card        none" in text and "atlas-hpe convert" in text


def test_json_of_an_om(om: Path) -> None:
    report = json.loads(output_of("inspect", om, "--json"))
    assert report["kind"] == "om" and report["card"] is None
    (model,) = report["om"]["models"]
    assert model["soc"] == "Ascend310"
    assert model["inputs"][0]["shape"] == [1, 3, 16, 16]
    assert report["om"]["header"]["table"] == "32-bit"


def test_json_holds_no_number_that_json_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    port = Port("image", (1, 3, 8, 8), aipp={"min_chn_0": float("nan")})
    path.write_bytes(build_om([Model(inputs=[port])]))
    report = json.loads(output_of("inspect", path, "--json"))
    assert report["om"]["models"][0]["inputs"][0]["aipp"]["settings"] == {"min_chn_0": "nan"}


def test_the_card_beside_an_om_is_shown_with_its_build(om: Path) -> None:
    write_card(om, build=True)
    text = output_of("inspect", om)
    assert "card        tiny hand, hand-2d" in text
    assert "built       compiled by atc 5.0.4 in 12.3 s on x86_64" in text
    assert "parity      joint_max_px 0.25 (of the .onnx, at export)" in text
    assert json.loads(output_of("inspect", om, "--json"))["card"]["name"] == "tiny hand"


def test_a_card_without_a_build_shows_none(om: Path) -> None:
    write_card(om)
    text = output_of("inspect", om)
    assert "built" not in text
    assert "parity      joint_max_px 0.25\n" in text


def test_a_simulated_model_is_first_of_all_called_simulated(simulated: Path) -> None:
    lines = output_of("inspect", simulated).splitlines()
    assert "SIMULATED, no .om" in lines[0]
    text = "\n".join(lines)
    for part in (
        "precision   fp32",
        "shape       image ?x3x16x16",
        "profiles    batch: 1; 4",
        "aipp        image: static, RGB888_U8, picture 16x16",
        "            mean 0,0,0, min 0,0,0, var_reci 1,1,1",
        "aipp        other: dynamic, the program gives the settings, at most 5000 bytes",
        "output      joints as float16",
        "fp16 input  second",
        "opset       ai.onnx 11",
        "card        tiny hand",
    ):
        assert part in text


def test_the_card_beside_a_simulated_model_goes_before_the_one_inside(simulated: Path) -> None:
    write_card(simulated, build=True, simulated=True)
    assert "built       simulated, not compiled, by the simulator" in output_of(
        "inspect", simulated
    )


def test_json_of_a_simulated_model_has_no_graph_in_it(simulated: Path) -> None:
    report = json.loads(output_of("inspect", simulated, "--json"))
    assert report["kind"] == "simulated"
    assert report["simulated"]["dynamic_batch"] == [1, 4]
    assert "onnx" not in report["simulated"]
    assert report["onnx"]["opsets"] == {"ai.onnx": 11}
    assert report["card"]["name"] == "tiny hand"


def test_the_content_tells_the_kind_not_the_suffix(om: Path, simulated: Path) -> None:
    for path, kind in ((om, "om"), (simulated, "simulated")):
        for name in ("model.onnx", "model.bin"):
            copy = path.with_name(name)
            copy.write_bytes(path.read_bytes())
            assert json.loads(output_of("inspect", copy, "--json"))["kind"] == kind
    onnx = om.with_name("graph.bin")
    onnx.write_bytes(tiny_onnx.hand_model())
    report = json.loads(output_of("inspect", onnx, "--json"))
    assert (report["kind"], report["card"]["name"]) == ("onnx", "tiny hand")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("hand.om", b"", "no .om file"),
        ("hand.om", b"PICO", "SVP"),
        ("hand.onnx", b"PICO", "SVP"),
        ("hand.om", b"IMOD", "damaged"),
        ("hand.onnx", b"not a model", "not an ONNX model"),
        ("hand.om", b"atlas-hpe simulated model 9: from the future", "simulated model is damaged"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=words):
        CliRunner().invoke(cli, ["inspect", str(path)], catch_exceptions=False)


def test_a_damaged_card_beside_a_good_om_is_an_error(om: Path) -> None:
    card_path_of(om).write_text("{}", encoding="utf-8")
    with pytest.raises(AtlasHpeError):
        CliRunner().invoke(cli, ["inspect", str(om)], catch_exceptions=False)


def test_control_characters_of_a_name_never_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    evil = "im\x1b[31mage\r\n\x9b\u202e"
    attributes: Dict[str, str] = {"soc_version": evil, "atc_cmdline": evil, "target_type": evil}
    model = Model(evil, [Port(evil, (1,))], [Port(evil, (1,))], {evil: 1}, attributes)
    path.write_bytes(build_om([model]))
    text = output_of("inspect", path)
    assert "\\x1b[31m" in text
    assert all(char.isprintable() for char in text.replace("\n", ""))
    assert len(text.splitlines()) < 25


def test_endless_names_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    path.write_bytes(build_om([Model(inputs=[Port("x" * 50_000, (1,))])]))
    assert len(output_of("inspect", path)) < 5000
