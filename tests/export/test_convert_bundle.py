"""What is handed to another machine when there is no compiler: a folder and a script."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Dict

import pytest
from convert_files import write_model

import tiny_onnx
from atlas_hpe.card import load_card
from atlas_hpe.errors import DeviceError, OutputError
from atlas_hpe.om_file import read_om_summary
from atlas_hpe_export.convert import AippRequest, ConvertOptions, compile_om
from atlas_hpe_export.convert.atc.script import convert_script
from standin_tools import install_atc

NOTHING = ConvertOptions()


@pytest.fixture(autouse=True)
def machine_without_atc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH", "ASCEND_OPP_PATH"):
        monkeypatch.delenv(name, raising=False)


def hand_over(options: ConvertOptions = NOTHING, out: str = "hand.om", **more: bool) -> DeviceError:
    write_model(Path("model.onnx"))
    with pytest.raises(DeviceError, match="no atc here") as caught:
        compile_om("model.onnx", out, options=options, **more)  # type: ignore[arg-type]
    assert caught.value.exit_code == 4
    return caught.value


def run_script(folder: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", f"{folder}/convert.sh"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def install_toolkit(home: Path) -> Dict[str, str]:
    """A toolkit whose set_env.sh has not been sourced."""
    install_atc(home / "bin")
    lines = [
        'export PATH="' + str(home / "bin") + ':$PATH"',
        'export ASCEND_OPP_PATH="$UNSET_BEFORE"',
        "test -d /nowhere",
    ]
    (home / "set_env.sh").write_text("\n".join(lines) + "\n")
    return {"ASCEND_TOOLKIT_HOME": str(home)}


def test_the_folder_holds_all_that_another_machine_needs(tmp_path: Path) -> None:
    error = hand_over(ConvertOptions(aipp=AippRequest("nv12"), keep_dtype=("conv_1",)))
    names = sorted(path.name for path in (tmp_path / "hand.convert").iterdir())
    assert names == ["aipp.cfg", "convert.sh", "hand.om.json", "hand.onnx", "keep_dtype.cfg"]
    assert (tmp_path / "hand.convert").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "hand.convert/hand.onnx").read_bytes() == Path("model.onnx").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hand.convert", "model.onnx"]
    for part in ("sh hand.convert/convert.sh", "docker/", "hand.om and hand.om.json", "aipp.cfg"):
        assert part in str(error)


def test_the_command_to_type_takes_any_file_name() -> None:
    assert "type: sh 'my hand.convert'/convert.sh," in str(hand_over(out="my hand.om"))


def test_its_card_is_that_of_the_model_to_be(tmp_path: Path) -> None:
    hand_over(ConvertOptions(aipp=AippRequest("nv12")))
    card = load_card(tmp_path / "hand.convert/hand.om.json")
    assert card.graphs[0].inputs[0].dtype == "uint8"
    assert card.preprocess.aipp is not None
    assert card.provenance.build is None


def test_weights_outside_the_file_go_along() -> None:
    Path("weights").mkdir()
    Path("weights/w.bin").write_bytes(bytes(48))
    nodes = [tiny_onnx.node("Conv", ["image", "w"], ["y"])]
    tensors = [tiny_onnx.external_tensor("w", (1, 3, 2, 2), "weights/w.bin")]
    model = tiny_onnx.model(nodes, {"image": (1, 3, 8, 8)}, {"y": (1, 1, 7, 7)}, tensors)
    Path("big.onnx").write_bytes(model)
    with pytest.raises(DeviceError, match="no atc here"):
        compile_om("big.onnx")
    assert Path("big.convert/weights/w.bin").read_bytes() == bytes(48)


def test_a_second_run_replaces_what_the_first_one_left(tmp_path: Path) -> None:
    hand_over(ConvertOptions(keep_dtype=("conv_1",)))
    hand_over(ConvertOptions(keep_dtype=("relu_1",)))
    assert (tmp_path / "hand.convert/keep_dtype.cfg").read_text() == "relu_1\n"


def test_a_model_that_was_compiled_in_there_is_not_removed(tmp_path: Path) -> None:
    hand_over()
    compiled = tmp_path / "hand.convert/hand.om"
    compiled.write_bytes(b"IMOD")
    with pytest.raises(OutputError, match="holds other files") as caught:
        compile_om("model.onnx", "hand.om")
    assert "hand.om" in str(caught.value.why)
    assert compiled.read_bytes() == b"IMOD"
    (tmp_path / "hand.convert/convert.sh").write_text("old")
    hand_over(force=True)
    assert compiled.read_bytes() == b"IMOD"
    assert (tmp_path / "hand.convert/convert.sh").read_text() != "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hand.convert", "model.onnx"]


def test_a_folder_that_can_not_be_written_is_one_clear_error(tmp_path: Path) -> None:
    write_model(tmp_path / "model.onnx")
    with pytest.raises(OutputError):
        compile_om("model.onnx", "missing/hand.om")
    (tmp_path / "hand.convert").write_text("a file of that name")
    with pytest.raises(OutputError, match="is a file"):
        compile_om("model.onnx", "hand.om")
    assert (tmp_path / "hand.convert").read_text() == "a file of that name"


@pytest.mark.parametrize("new_names", ["", "1"])
def test_the_script_finds_the_toolkit_and_names_the_result(tmp_path: Path, new_names: str) -> None:
    sizes = ((16, 16), (32, 32))  # their flag has a semicolon in it
    hand_over(ConvertOptions(aipp=AippRequest("nv12"), image_sizes=sizes))
    environ = install_toolkit(tmp_path / "CANN tool kit")
    done = run_script("hand.convert", STANDIN_ATC_NEW_NAMES=new_names, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    summary = read_om_summary(tmp_path / "hand.convert/hand.om")
    assert summary.models[0].inputs[0].aipp is not None
    assert len(list((tmp_path / "hand.convert").glob("*.om"))) == 1
    assert run_script("hand.convert", **environ).returncode == 0  # it may be run again


def test_the_script_takes_any_file_name_and_folder(tmp_path: Path) -> None:
    folder = tmp_path / "it's $(here); \N{GREEK SMALL LETTER ALPHA}"
    folder.mkdir()
    name = "a 'b' $HOME `x`.om"
    hand_over(out=str(folder / name))
    bundle = folder / (name[:-3] + ".convert")
    done = run_script(str(bundle), **install_toolkit(tmp_path / "kit"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (bundle / name).read_bytes()[:4] == b"IMOD"
    assert (bundle / "model.onnx").exists()  # atc takes plain names only


def test_the_script_says_what_is_missing() -> None:
    hand_over()
    done = run_script("hand.convert")
    assert done.returncode == 4
    assert "source set_env.sh" in done.stderr


@pytest.mark.parametrize(
    ("fault", "message", "status"),
    [
        ("none", "wrote no model", 4),
        ("garbage", "not an .om", 4),
        ("crash", "failed with exit", 139),
        ("killed", "failed with exit", 137),
    ],
)
def test_the_script_fails_when_the_result_is_not_one(
    tmp_path: Path, fault: str, message: str, status: int
) -> None:
    hand_over()
    (tmp_path / "hand.convert/hand.om").write_bytes(b"IMOD of an earlier run")
    environ = install_toolkit(tmp_path / "kit")
    done = run_script("hand.convert", STANDIN_ATC_FAULT=fault, **environ)
    assert (done.returncode, message in done.stderr) == (status, True)


def test_the_script_refuses_two_results(tmp_path: Path) -> None:
    script = convert_script(("sh", "-c", "printf IMOD | tee m.om > m_linux_x86_64.om"), "m", "m.om")
    (tmp_path / "convert.sh").write_text(script)
    atc = tmp_path / "bin/atc"
    install_atc(atc.parent)
    done = run_script(str(tmp_path), PATH=f"{atc.parent}:/usr/bin:/bin")
    assert (done.returncode, "two models" in done.stderr) == (4, True)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_script_needs_no_particular_shell(tmp_path: Path, shell: str) -> None:
    hand_over()
    done = subprocess.run(
        [shell, "hand.convert/convert.sh"],
        env={**os.environ, **install_toolkit(tmp_path / "kit")},
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
