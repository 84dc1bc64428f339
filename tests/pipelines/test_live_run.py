"""A whole run on a live source: it ends when it is stopped, and keeps what it has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import List

import pytest
from PIL import Image
from stream_servers import StreamServer, jpeg_frames, mjpeg, serving

import tiny_onnx
from atlas_hpe.errors import SourceError
from atlas_hpe_pipelines import Pipeline, SourceOptions

pytest.importorskip("onnxruntime")

_RUN = [sys.executable, "-c", "from atlas_hpe.cli import main; main()", "run"]


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    return path


def address(server: StreamServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/live"


def live_pipeline(server: StreamServer, model_path: Path, out: List[Path]) -> Pipeline:
    reading = SourceOptions(drop="never", reconnect_s=0)
    return Pipeline(address(server), model_path, out=out, reading=reading)


def test_a_stop_ends_a_live_run_and_finishes_its_outputs(tmp_path: Path, model_path: Path) -> None:
    out = [tmp_path / "a.gif", tmp_path / "a.jsonl"]
    with serving(mjpeg(jpeg_frames(2000), every_s=0.02)) as server:
        pipeline = live_pipeline(server, model_path, out)
        assert pipeline.live
        seen = 0
        for _ in pipeline:
            seen += 1
            if seen == 5:
                threading.Thread(target=pipeline.stop).start()
    assert 5 <= seen < 100
    assert pipeline.report().interrupted
    assert len(out[1].read_text().splitlines()) == seen
    with Image.open(out[0]) as picture:
        assert picture.format == "GIF"


def test_a_run_of_some_seconds_ends_though_no_frame_comes_any_more(
    tmp_path: Path, model_path: Path
) -> None:
    out = tmp_path / "a.jsonl"
    with serving(mjpeg(jpeg_frames(3), then="stall")) as server:
        started = time.monotonic()
        reading = SourceOptions(drop="never", reconnect_s=60)
        frames = list(Pipeline(address(server), model_path, out=out, reading=reading, seconds=1.5))
    assert time.monotonic() - started < 8
    assert len(frames) == len(out.read_text().splitlines()) > 0


def test_a_stream_that_is_lost_leaves_what_came_before(tmp_path: Path, model_path: Path) -> None:
    out = [tmp_path / "a.gif", tmp_path / "a.jsonl"]
    with serving(mjpeg(jpeg_frames(12), then="close")) as server:
        pipeline = live_pipeline(server, model_path, out)
        seen = 0
        with pytest.raises(SourceError):
            for _ in pipeline:
                seen += 1
    assert seen == len(out[1].read_text().splitlines()) > 0
    assert out[0].read_bytes()[:6] == b"GIF89a"


def test_ctrl_c_ends_a_live_run_with_whole_outputs(tmp_path: Path, model_path: Path) -> None:
    with serving(mjpeg(jpeg_frames(3000), every_s=0.02)) as server:
        arguments = [address(server), "--model", str(model_path), "--out", "-", "--out", "a.mp4"]
        with subprocess.Popen(
            [*_RUN, *arguments],
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            os.kill(process.pid, signal.SIGINT)
            rest, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert first["frame"] == 0
    assert all(json.loads(line)["hands"] is not None for line in rest.splitlines())
    assert "wrote a.mp4" in said
    assert (tmp_path / "a.mp4").stat().st_size > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "tiny.onnx"]
