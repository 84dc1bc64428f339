"""Poses on standard output: each line at once, and a reader may go away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import List

import numpy as np
import pytest

from atlas_hpe.errors import OutputError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import check_output, open_sink

IMAGE = np.zeros((2, 2, 3), np.uint8)

LIVE = """
import sys
import numpy as np
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import open_sink

image = np.zeros((2, 2, 3), np.uint8)
try:
    with open_sink("-", fps=25.0, size_px=(2, 2)) as sink:
        for index, _ in enumerate(sys.stdin):
            sink.write(Frame(index, index / 25, image), None, ())
except BrokenPipeError:
    sys.stderr.write("reader gone")
    sys.stderr.flush()
    import os
    os._exit(7)
"""


def start(code: str) -> subprocess.Popen:  # type: ignore[type-arg]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    env.pop("PYTHONUNBUFFERED", None)  # or every write would be seen at once, flushed or not
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    )
    guard = threading.Timer(30, process.kill)  # a line that never comes is waited for no longer
    guard.daemon = True
    guard.start()
    return process


def test_the_lines_are_those_of_a_file(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for path in ("-", tmp_path / "a.jsonl"):
        with open_sink(path, fps=25.0, size_px=(2, 2)) as sink:
            assert not sink.wants_picture
            for index in range(3):
                sink.write(Frame(index, index / 25, IMAGE), None, ())
    out, _ = capfdbinary.readouterr()
    assert out == (tmp_path / "a.jsonl").read_bytes()
    assert [json.loads(line)["frame"] for line in out.splitlines()] == [0, 1, 2]


def test_nothing_is_written_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_output("-", force=False) == Path("-")
    with open_sink(Path("-"), fps=25.0, size_px=(2, 2)):
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_each_line_comes_as_soon_as_its_frame_is_done() -> None:
    process = start(LIVE)
    assert process.stdin is not None and process.stdout is not None
    lines: List[bytes] = []
    for _ in range(3):
        process.stdin.write(b"next\n")
        process.stdin.flush()
        lines.append(process.stdout.readline())
    assert [json.loads(line)["frame"] for line in lines] == [0, 1, 2]
    out, said = process.communicate(timeout=60)
    assert (out, said, process.returncode) == (b"", b"", 0)


def test_a_reader_that_goes_away_is_told_to_the_caller_as_it_is() -> None:
    process = start(LIVE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"next\n")
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b"next\n")
    process.stdin.close()
    assert process.stderr is not None
    assert process.stderr.read() == b"reader gone"
    assert process.wait(timeout=60) == 7


def test_without_a_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="no standard output"):
        open_sink("-", fps=25.0, size_px=(2, 2))
