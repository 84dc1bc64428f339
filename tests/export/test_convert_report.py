"""Which model is taken, and in which words the outcome is told."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from convert_files import CARD, write_model

from atlas_hpe.card import BuildRecord
from atlas_hpe.errors import UsageError
from atlas_hpe_export.convert import ConvertReport, convert_to_dict, describe_convert, newest_model


def test_the_newest_model_with_a_card_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for age, name in ((30, "old.onnx"), (20, "wanted.onnx"), (10, "plain.onnx")):
        write_model(Path(name), **({"card": None} if name == "plain.onnx" else {}))
        os.utime(name, (time.time() - age, time.time() - age))
    Path("damaged.onnx").write_bytes(b"no model")
    assert newest_model(Path()) == Path("wanted.onnx")


def test_a_folder_without_a_model_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \.onnx with a card") as caught:
        newest_model(tmp_path)
    assert "atlas-hpe export" in str(caught.value.fix)


def make_report(state: str) -> ConvertReport:
    command = None if state == "simulated" else "atc"
    return ConvertReport(Path("x.om"), None, "Ascend310", state, command, "atc of CANN 5", 10, 1.0)


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("dynamic_batch_size", "1,2,4", "batches 1, 2, 4"),
        ("dynamic_image_size", "16,32;64,64", "image sizes (h x w) 16x32, 64x64"),
        ("dynamic_dims", "1,16;4,32", "sizes of the open axes 1x16, 4x32"),
    ],
)
def test_sizes_that_can_be_chosen_are_listed(flag: str, value: str, words: str) -> None:
    build = BuildRecord("atc", False, {flag: value}, "a", "b", 1.0, None, "host")
    card = replace(CARD, provenance=replace(CARD.provenance, build=build))
    lines = describe_convert(replace(make_report("compiled"), card=card))
    assert f"  profiles  {words}: chosen at run time" in lines[-1]
    assert not any("profiles" in line for line in describe_convert(make_report("compiled")))


def test_the_report_can_be_written_as_json() -> None:
    report = replace(make_report("compiled"), card=CARD, warnings=("one",), log=Path("x.om.log"))
    document = json.loads(json.dumps(convert_to_dict(report)))
    assert (document["path"], document["log"], document["warnings"]) == (
        "x.om",
        "x.om.log",
        ["one"],
    )
    assert document["card"]["task"] == "hand-2d"
    assert document["card"]["graphs"][0]["inputs"][0]["name"] == "image"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("compiled", "compiled by atc"),
        ("cached", "from the cache"),
        ("up to date", "up to date"),
        ("simulated", "no compiler ran"),
    ],
)
def test_each_state_has_its_own_words(state: str, words: str) -> None:
    assert words in describe_convert(make_report(state))[0]
    assert make_report(state).simulated == (state == "simulated")
