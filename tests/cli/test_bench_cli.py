"""``atlas-hpe bench`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tiny_onnx

pytest.importorskip("onnxruntime")

COMMAND = [sys.executable, "-c", "from atlas_hpe.cli import main; main()", "bench"]
QUICK = ["--warm-up", "1", "--loops", "4", "--loads", "2", "--threads", "1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hand.onnx").write_bytes(tiny_onnx.hand_model())
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=str(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_bench_is_told_on_stderr_written_and_printed_as_json(folder: Path) -> None:
    done = run(folder, "hand.onnx", *QUICK, "--in-flight", "2", "--out", "report.json", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report == json.loads((folder / "report.json").read_text())
    assert report["model"]["file"] == "hand.onnx" and report["backend"] == "onnxruntime"
    assert report["settings"]["loops"] == 4 and report["settings"]["in_flight"] == 2
    lines = done.stderr.splitlines()
    for step in ("load", "copy in", "execute", "copy out", "end to end", "overlapped"):
        (line,) = [item for item in lines if item.strip().startswith(step)]
        assert "p50" in line and "measured on this host, onnxruntime on" in line
        assert report["times"][step]["p50"] <= report["times"][step]["p99"]
    assert sum("frames/s" in line for line in lines) == 2
    assert lines[-1] == "wrote report.json"


def test_a_comparison_prints_ratios_and_refuses_another_model(folder: Path) -> None:
    (folder / "other.onnx").write_bytes(tiny_onnx.hand_model(32))
    assert run(folder, "hand.onnx", *QUICK, "--out", "a.json").returncode == 0
    done = run(folder, "hand.onnx", *QUICK, "--compare", "a.json")
    assert done.returncode == 0, done.stderr
    assert sum("ratio" in line for line in done.stderr.splitlines()) == 6
    done = run(folder, "other.onnx", *QUICK, "--compare", "a.json", "--out", "b.json")
    assert done.returncode == 2
    assert "error: the two benches can't be compared" in done.stderr
    assert "different models" in done.stderr and "p50" not in done.stderr
    assert not (folder / "b.json").exists()


@pytest.mark.slow
def test_bad_files_are_refused_before_anything_runs(folder: Path) -> None:
    (folder / "old.json").write_text("{}")
    for arguments, words in (
        (["--out", "old.json"], "exists already"),
        (["--out", "report.txt"], "kind of output is not known"),
        (["--compare", "old.json"], "not a report of atlas-hpe bench"),
        (["--compare", "absent.json"], "does not exist"),
        (["--provider", "NoSuch"], "no provider 'NoSuch'"),
        (["--loops", "0"], "--loops"),
        (["--backend", "npu"], "no back-end 'npu'"),
    ):
        done = run(folder, "hand.onnx", *QUICK, *arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert words in done.stderr and "Traceback" not in done.stderr
        assert "p50" not in done.stderr and not done.stdout
    assert run(folder, "hand.onnx", *QUICK, "--out", "old.json", "--force").returncode == 0
