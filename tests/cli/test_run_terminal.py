"""What ``atlas-hpe run`` shows a person: a bar on a terminal, and a word when nothing was found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import List

import numpy as np
import pytest

import clips
import tiny_onnx

pytest.importorskip("onnxruntime")

COMMAND = [sys.executable, "-c", "from atlas_hpe.cli import main; main()", "run"]
NO_HAND = "warning: no hand was found; give the hand's place with --box x,y,w,h"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clips.encode(clips.spot_frames(10), tmp_path / "clip.mp4")
    (tmp_path / "hand.onnx").write_bytes(tiny_onnx.hand_model())
    return tmp_path


def arguments_for(source: str) -> List[str]:
    return [*COMMAND, source, "--model", "hand.onnx", "--out", "a.jsonl"]


def run_on_a_terminal(folder: Path, command: List[str]) -> str:
    """What the terminal got on stderr."""
    pty = pytest.importorskip("pty")
    terminal, end = pty.openpty()
    try:
        process = subprocess.Popen(
            command,
            cwd=str(folder),
            stdout=subprocess.DEVNULL,
            stderr=end,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )
        os.close(end)
        shown = b""
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:  # how Linux says that nobody holds the other end any more
                break
            if not part:
                break
            shown += part
        assert process.wait(timeout=120) == 0, shown
    finally:
        os.close(terminal)
    return shown.decode()


def test_a_terminal_sees_a_bar_go_to_its_end(folder: Path) -> None:
    shown = run_on_a_terminal(folder, arguments_for("clip.mp4"))
    assert "frames  [" in shown
    assert "100%" in shown
    assert "10 frames in" in shown
    assert len((folder / "a.jsonl").read_text().splitlines()) == 10


def test_a_pipe_sees_no_bar(folder: Path) -> None:
    done = subprocess.run(
        arguments_for("clip.mp4"), cwd=str(folder), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "frames" not in [line.strip() for line in done.stderr.splitlines()]
    assert "[" not in done.stderr
    assert NO_HAND not in done.stderr


def test_a_run_without_any_hand_says_what_to_do(folder: Path) -> None:
    clips.encode(np.zeros((5, 48, 64, 3), np.uint8), folder / "dark.mp4")
    done = subprocess.run(
        arguments_for("dark.mp4"), cwd=str(folder), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "a hand in 0 of 5 frames" in done.stderr
    assert NO_HAND in done.stderr.splitlines()
