"""The whole conversion, with a stand-in for atc: what is written, when, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

import pytest
from convert_files import left_behind, make_workshop, runs, write_model, write_version

from atlas_hpe.card import load_card
from atlas_hpe.errors import CardError, DeviceError, OutputError, UsageError
from atlas_hpe.files import sha256_of
from atlas_hpe.om_file import read_om_summary
from atlas_hpe_export.convert import (
    AippRequest,
    ConvertOptions,
    compile_om,
    describe_convert,
)
from atlas_hpe_export.convert import convert as flow
from atlas_hpe_export.convert.log import open_log

NV12 = ConvertOptions(aipp=AippRequest("nv12"))


@pytest.fixture(autouse=True)
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, atc on PATH, and a cache and temporary files of its own."""
    make_workshop(tmp_path, monkeypatch)
    return tmp_path


def test_a_model_comes_with_its_card_and_its_log(workshop: Path) -> None:
    shown: List[str] = []
    report = compile_om("hand.onnx", show=shown.append)
    assert report.path == Path("hand.om")
    assert (report.state, report.cached, report.simulated) == ("compiled", False, False)
    assert left_behind(workshop) == {"hand.om", "hand.om.json", "hand.om.log"}
    assert report.card == load_card("hand.om")
    build = load_card("hand.om").provenance.build
    assert build is not None
    assert (build.simulated, build.om_sha256) == (False, sha256_of("hand.om"))
    assert build.onnx_sha256 == sha256_of("hand.onnx")
    assert build.options["soc_version"] == "Ascend310"
    assert report.size_bytes == Path("hand.om").stat().st_size
    log = Path("hand.om.log").read_text()
    assert "ATC run success" in log
    assert str(report.command) in log.splitlines()[1]
    assert "  atc | ATC run success, welcome to the next use." in shown


def test_aipp_and_its_card_say_the_same(workshop: Path) -> None:
    report = compile_om("hand.onnx", options=NV12)
    built = read_om_summary("hand.om").models[0].inputs[0]
    assert report.card is not None
    fed = report.card.graphs[0].inputs[0]
    assert (fed.dtype, fed.shape) == ("uint8", (1, 24, 16, 1))
    assert built.aipp is not None
    assert report.card.preprocess.where == "aipp"
    build = report.card.provenance.build
    assert build is not None
    assert "YUV420SP_U8" in build.options["insert_op_conf"]  # the file's text, not its name


def test_a_picture_that_would_be_normalised_twice_is_refused() -> None:
    write_model(Path("hand.onnx"), normalised=True)
    with pytest.raises(UsageError, match="normalised twice"):
        compile_om("hand.onnx", options=NV12)


def test_a_flag_that_this_release_does_not_have_is_refused(workshop: Path) -> None:
    write_version(workshop, "5.0.4.alpha002")
    with pytest.raises(UsageError, match=r"CANN 5\.0\.4\.alpha002 does not know"):
        compile_om("hand.onnx", options=ConvertOptions(extra=("--precision_mode_v2=fp16",)))


def test_a_batch_is_in_the_card_on_both_sides() -> None:
    card = compile_om("hand.onnx", options=ConvertOptions(batches=(4,))).card
    assert card is not None
    built = read_om_summary("hand.om").models[0]
    assert card.graphs[0].inputs[0].shape == built.inputs[0].shape == (4, 3, 16, 16)
    assert card.graphs[0].outputs[0].shape == built.outputs[0].shape == (4, 1, 16, 16)


def test_the_newer_naming_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDIN_ATC_NEW_NAMES", "1")
    assert compile_om("hand.onnx").path == Path("hand.om")
    assert read_om_summary("hand.om").models


def test_a_model_without_a_card_has_its_record_beside_it(workshop: Path) -> None:
    write_model(Path("hand.onnx"), card=None)
    report = compile_om("hand.onnx")
    assert report.card is None
    assert left_behind(workshop) == {"hand.om", "hand.om.build.json", "hand.om.log"}
    found = json.loads(Path("hand.om.build.json").read_text())
    assert found["atc_command"] == report.command
    assert found["build"]["om_sha256"] == sha256_of("hand.om")
    with pytest.raises(CardError, match="no card"):
        load_card("hand.om")
    assert compile_om("hand.onnx").state == "up to date"
    assert "card      none" in "\n".join(describe_convert(report))


def test_the_cache_saves_a_compilation_under_another_name(workshop: Path) -> None:
    compile_om("hand.onnx", "one.om")
    report = compile_om("hand.onnx", "two.om")
    assert (report.state, report.cached, runs(workshop)) == ("cached", True, 1)
    assert Path("one.om").read_bytes() == Path("two.om").read_bytes()
    assert "ATC run success" in Path("two.om.log").read_text()
    assert load_card("two.om").graphs[0].file == "two.om"
    assert compile_om("hand.onnx", "two.om", force=True).state == "compiled"
    assert Path("two.om.log").read_text().count("ATC run success") == 1
    assert runs(workshop) == 2


def test_what_goes_by_a_folder_is_not_kept(workshop: Path) -> None:
    options = ConvertOptions(extra=("--mdl_bank_path=/banks",))
    compile_om("hand.onnx", "one.om", options=options)
    shown: List[str] = []
    again = compile_om("hand.onnx", "two.om", options=options, show=shown.append)
    assert again.state == "compiled"
    assert shown[0].startswith("the compiled model is not kept: --mdl_bank_path goes by a folder")


@pytest.mark.parametrize(
    "fault", ["killed", "memory", "disk", "none", "garbage", "crash", "library"]
)
def test_a_failure_leaves_the_log_and_nothing_else(
    fault: str, workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_ATC_FAULT", fault)
    with pytest.raises(DeviceError) as caught:
        compile_om("hand.onnx")
    assert caught.value.exit_code == 4
    assert "hand.om.log" in str(caught.value)
    assert left_behind(workshop) == {"hand.om.log"}


def test_a_failure_leaves_an_earlier_result_as_it_was(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_om("hand.onnx")
    before = [Path(name).read_bytes() for name in ("hand.om", "hand.om.json")]
    monkeypatch.setenv("STANDIN_ATC_FAULT", "killed")
    with pytest.raises(DeviceError):
        compile_om("hand.onnx", force=True)
    assert [Path(name).read_bytes() for name in ("hand.om", "hand.om.json")] == before


def test_a_model_for_another_chip_is_not_taken(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workshop / "bin/atc").rename(workshop / "bin/atc.real")
    (workshop / "bin/atc").write_text(
        f'#!/bin/sh\nexec "{workshop}/bin/atc.real" '
        '$(echo "$@" | sed s/soc_version=Ascend310/soc_version=Ascend310P3/)\n'
    )
    (workshop / "bin/atc").chmod(0o755)
    with pytest.raises(DeviceError, match="another chip") as caught:
        compile_om("hand.onnx")
    assert "Ascend310P3" in str(caught.value)
    assert left_behind(workshop) == {"hand.om.log"}


def test_the_time_limit_ends_atc_and_its_helpers(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_ATC_SLEEP_S", "60")
    monkeypatch.setenv("STANDIN_ATC_CHILD", str(workshop / "child"))
    started = time.monotonic()
    with pytest.raises(DeviceError, match="time limit") as caught:
        compile_om("hand.onnx", timeout_s=2)
    assert time.monotonic() - started < 30
    assert "--timeout-s" in str(caught.value.fix)
    assert left_behind(workshop) == {"hand.om.log"}
    with pytest.raises(OSError, match="No such process"):
        os.kill(int((workshop / "child").read_text()), 0)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_limit_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match="time limit"):
        compile_om("hand.onnx", timeout_s=seconds)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_everything_and_leaves_nothing(
    number: int, workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_ATC_SLEEP_S", "60")
    monkeypatch.setenv("STANDIN_ATC_CHILD", str(workshop / "child"))
    monkeypatch.setenv("TMPDIR", str(workshop / "tmp"))
    process = subprocess.Popen(
        [sys.executable, "-m", "atlas_hpe", "convert", "hand.onnx"], stderr=subprocess.PIPE
    )
    end = time.monotonic() + 60
    while not (workshop / "child").exists() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert left_behind(workshop) == {"hand.om.log"}
    with pytest.raises(OSError, match="No such process"):
        os.kill(int((workshop / "child").read_text()), 0)


def test_two_conversions_do_not_write_one_model_at_once(workshop: Path) -> None:
    with open_log(Path("hand.om")) as log:
        log.write(b"the other's")
        log.flush()
        with pytest.raises(OutputError, match="another conversion"):
            compile_om("hand.onnx")
        assert Path("hand.om.log").read_bytes() == b"the other's"
    assert (runs(workshop), compile_om("hand.onnx").state) == (0, "compiled")


def test_a_viewer_that_went_away_is_not_a_fault_of_the_log(workshop: Path) -> None:
    def gone(line: str) -> None:
        if "ATC" in line:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        compile_om("hand.onnx", show=gone)
    assert left_behind(workshop) == {"hand.om.log"}


def test_a_full_temporary_folder_is_one_clear_error(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(workshop / "missing"))
    with pytest.raises(OutputError, match="temporary folder") as caught:
        compile_om("hand.onnx")
    assert "TMPDIR" in str(caught.value.fix)


def test_a_warning_is_shown_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDIN_ATC_FAULT", "crash")
    shown: List[str] = []
    with pytest.raises(DeviceError):
        compile_om("hand.onnx", options=ConvertOptions(batches=(2, 4)), show=shown.append)
    assert shown[0].startswith("warning: 1 is not among the batches")


def test_atc_is_given_that_environment(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workshop / "bin/atc").write_text('#!/bin/sh\necho "operators: $ASCEND_OPP_PATH"; exit 1\n')
    with pytest.raises(DeviceError):
        compile_om("hand.onnx")
    assert f"operators: {workshop}" in Path("hand.om.log").read_text()


def test_without_the_memory_atc_is_not_started(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise DeviceError("little memory")

    monkeypatch.setattr(flow, "check_memory", refuse)
    with pytest.raises(DeviceError, match="little memory"):
        compile_om("hand.onnx")
    assert (left_behind(workshop), runs(workshop)) == (set(), 0)


def test_a_search_gets_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: List[float] = []

    def look(toolchain: object, argv: object, *, timeout_s: float, **more: object) -> None:
        seen.append(timeout_s)
        raise DeviceError("enough")

    monkeypatch.setattr(flow, "run_atc", look)
    for options in (ConvertOptions(), ConvertOptions(tune="ga")):
        with pytest.raises(DeviceError, match="enough"):
            compile_om("hand.onnx", options=options)
    assert seen == [3600.0, 86400.0]
