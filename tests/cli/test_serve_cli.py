"""``atlas-hpe serve`` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

import pytest

import clips
import tiny_onnx

pytest.importorskip("onnxruntime")

CODE = "from atlas_hpe.cli import main; main()"
COMMAND = [sys.executable, "-c", CODE, "serve"]
SOURCE = ("clip.mp4", "--model", "hand.onnx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clips.encode(clips.spot_frames(30), tmp_path / "clip.mp4")
    (tmp_path / "hand.onnx").write_bytes(tiny_onnx.hand_model())
    return tmp_path


def serve_wrongly(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Serve something that can't be served."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=str(folder), capture_output=True, text=True, timeout=120
    )


@contextmanager
def serving(
    folder: Path, *arguments: str, variables: Optional[Dict[str, str]] = None
) -> Iterator[Tuple[subprocess.Popen, str]]:
    """The process and what it printed on standard output; killed at the end if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, *SOURCE, "--port", "0", "--json", *arguments],
        cwd=str(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(variables or {})},
    )
    try:
        text = ""
        while "}" not in text:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            text += line
        yield process, json.loads(text)["url"]
    finally:
        process.kill()
        process.communicate()


def ask(url: str, token: Optional[str] = None) -> Dict[str, object]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{url}/state", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped_and_that_is_success(folder: Path, number: int) -> None:
    with serving(folder) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        end = time.monotonic() + 60
        while ask(url)["state"] != "running" or not ask(url)["frames"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        state = ask(url)
        assert state["source"] == "clip.mp4"
        assert {stage["name"] for stage in state["stages"]} >= {"decode", "infer", "draw"}
        process.send_signal(number)
        started = time.monotonic()
        out, error = process.communicate(timeout=30)
        assert time.monotonic() - started < 8
        assert process.returncode == 0, error
        assert out == ""  # what was printed before was all
        assert f"open {url}\n" in error
        assert "Traceback" not in error
        with pytest.raises(OSError):
            ask(url)


def test_a_stop_in_the_middle_of_everything_leaves_no_traceback(folder: Path) -> None:
    for delay_s in (0.0, 0.3, 1.1):
        with serving(folder) as (process, url):
            port = int(url.rpartition(":")[2])
            lazy = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
            for viewer, path in zip(lazy, ("/events", "/picture?after=0", "/clip.gif", "/")):
                viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("ascii"))
            time.sleep(delay_s)
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=30)
            assert process.returncode == 0, error
            assert "Traceback" not in error
            assert "Exception" not in error
            for viewer in lazy:
                viewer.close()


def test_once_plays_the_clip_once(folder: Path) -> None:
    with serving(folder, "--once") as (_, url):
        end = time.monotonic() + 60
        while ask(url)["state"] != "ended":
            assert time.monotonic() < end
            time.sleep(0.05)
        assert ask(url)["frames"] == 30


def test_a_token_from_the_environment_is_asked_for_and_not_printed(folder: Path) -> None:
    token = "a-secret-of-the-environment"
    with serving(folder, variables={"ATLAS_HPE_TOKEN": token}) as (process, url):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(url)
        assert ask(url, token)["source"] == "clip.mp4"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
        assert token not in error + url


def test_a_port_that_is_taken_is_one_clear_error(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        done = serve_wrongly(folder, *SOURCE, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert done.stderr.startswith("error: the port can't be opened\n")
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_source_ends_it_before_anybody_opens_the_page(folder: Path) -> None:
    done = serve_wrongly(folder, "none.mp4", "--model", "hand.onnx", "--port", "0")
    assert done.returncode == 2
    assert "none.mp4" in done.stderr
    assert "open http" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_is_named_with_the_command_that_adds_it(folder: Path, missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; {CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", *SOURCE],
        cwd=str(folder),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 3
    assert f"'{missing}'" in done.stderr
    assert "pip install 'atlas-hpe[web]'" in done.stderr
