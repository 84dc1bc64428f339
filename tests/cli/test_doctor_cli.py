"""``atlas-hpe doctor``: what is printed where, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Callable, Dict, Optional

import pytest
from click.testing import CliRunner, Result

import om_files
from atlas_hpe.cli import cli
from atlas_hpe.doctor import machine as machine_module
from atlas_hpe.errors import InputError, UsageError

COMMAND = [sys.executable, "-c", "from atlas_hpe.cli import main; main()", "doctor"]


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", *arguments], catch_exceptions=False)


def report_of(*arguments: str) -> Dict[str, object]:
    """The data alone: click 8.1 mixes what is said into it."""
    output = doctor("--json", *arguments).output
    report: Dict[str, object] = json.JSONDecoder().raw_decode(output[output.index("{") :])[0]
    return report


def hide(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    real: Callable[[str], object] = machine_module.importlib.util.find_spec

    def find_spec(name: str) -> Optional[object]:
        return None if name in names else real(name)

    monkeypatch.setattr(machine_module.importlib.util, "find_spec", find_spec)


def test_the_data_names_python_packages_and_back_ends() -> None:
    report = report_of()
    groups = {group["name"]: group for group in report["groups"]}  # type: ignore[attr-defined]
    names = [item["name"] for item in groups["base"]["findings"]]
    assert names[:2] == ["numpy", "opencv-python-headless"]
    names = [item["name"] for item in groups["back-ends"]["findings"]]
    assert names == ["acl", "acllite", "onnxruntime", "simulator"]
    assert report["python"] in doctor().output
    assert report["verdict"] in doctor().output


def test_the_report_is_data_and_the_verdict_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        COMMAND, cwd=str(tmp_path), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.startswith("atlas-hpe ")
    assert "\n  ok       numpy" in done.stdout
    verdict, following = done.stderr.splitlines()
    assert "ready" in verdict or "not for" in verdict
    assert following.startswith("next: ")
    assert done.returncode == json.loads(_json(tmp_path))["exit_code"]


def _json(folder: Path) -> str:
    return subprocess.run(
        [*COMMAND, "--json"],
        cwd=str(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    ).stdout


def test_the_command_for_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "torch", "onnxruntime")
    result = doctor()
    assert "  missing  onnxruntime" in result.output
    assert "fix: pip install --upgrade 'atlas-hpe[host]'" in result.output
    assert "not for: laptop (onnxruntime, torch" in result.output
    assert "next: pip install --upgrade 'atlas-hpe[host]'" in result.output


def test_what_is_needed_and_missing_sets_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "torch", "onnxruntime")
    result = doctor("--need", "laptop")
    assert result.exit_code == 3
    assert "not ready: onnxruntime, torch" in result.output
    assert "next: pip install --upgrade 'atlas-hpe[host]'" in result.output
    assert report_of("--need", "laptop")["exit_code"] == 3
    monkeypatch.setenv("LD_LIBRARY_PATH", "")
    assert doctor("--need", "laptop", "--need", "board").exit_code == 4


def test_a_missing_base_package_sets_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "cv2")
    assert doctor().exit_code == 3


def test_a_loaded_simulator_counts_as_pyacl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "acl", ModuleType("acl"))  # as the simulator is loaded
    assert "ok       acl" in doctor().output


def test_an_unknown_group_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="there is no group 'bord'"):
        doctor("--need", "bord")


def test_a_model_is_held_against_a_chip(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    attributes = om_files.typical_attributes("Ascend310B4")
    path.write_bytes(om_files.build_om([om_files.Model(attributes=attributes)]))
    result = doctor("--model", str(path), "--soc", "Ascend310")
    assert result.exit_code == 4
    told = " ".join(result.output.split())
    assert "the model is made for Ascend310B4, this device is Ascend310" in told
    assert "model: run hand.om (needed)" in result.output


def test_what_a_file_says_does_not_reach_the_terminal_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    attributes = om_files.typical_attributes("Ascend\x1b[31m")
    path.write_bytes(om_files.build_om([om_files.Model(attributes=attributes)]))
    output = doctor("--model", str(path), "--soc", "Ascend310").output
    assert "\x1b" not in output
    assert "\\x1b[31m" in output


def test_a_model_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        doctor("--model", str(tmp_path / "none.om"))


WITHOUT_NUMPY = """
import importlib.util, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numpy", "cv2", "PIL", "imageio"):
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Hidden())
importlib.util.find_spec = lambda name: None if name == "numpy" else object()
from atlas_hpe.cli import main
main()
"""


def test_it_works_where_even_numpy_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMPY, "doctor", "--model", "hand.om"],
        cwd=str(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "  missing  numpy" in done.stdout
    assert done.stderr.startswith("not ready: numpy")


def test_it_takes_no_longer_than_a_few_imports(tmp_path: Path) -> None:
    """Nothing heavy is loaded and no program started: about as long as ``--version``."""
    times = {}
    for word in ("--version", "doctor"):
        started = time.monotonic()
        for _ in range(3):
            subprocess.run(
                [*COMMAND[:-1], word],
                cwd=str(tmp_path),
                capture_output=True,
                timeout=120,
                check=False,
            )
        times[word] = time.monotonic() - started
    assert times["doctor"] < 5 * times["--version"] + 1
