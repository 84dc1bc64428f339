"""Live sources in a process of their own: what it prints, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Dict

import pytest
from stream_servers import (
    URL_USER,
    Connection,
    asks_for_password,
    jpeg_frames,
    mjpeg,
    one_after_the_other,
    serving,
)

_READ = """
import sys, time
import cv2
from atlas_hpe.errors import SourceError
from atlas_hpe_pipelines.sources.live import open_stream
from atlas_hpe_pipelines.sources.live.patience import Patience
from atlas_hpe_pipelines.sources.source import SourceOptions
patience = Patience(open_s=1, read_s=0.5, first_pause_s=0.05, close_s=0.05)
log = getattr(cv2.utils, "logging", cv2)  # its name in old OpenCV
before = log.getLogLevel()
for address in sys.argv[1:]:
    try:
        source = open_stream(address, SourceOptions(reconnect_s=0.8), patience=patience)
        print(repr(source), source.name)
        for frame in source.frames():
            print(frame.index)
    except SourceError as error:
        print(error)
    else:
        sys.exit("it has to fail")
    source.close()
    print(source.warnings)
time.sleep(0.7)  # the last reader is at its end by then
print("log level as before:", log.getLogLevel() == before)
"""

_LEAVE = """
import sys, threading
from atlas_hpe_pipelines.sources.live import open_stream
from atlas_hpe_pipelines.sources.source import SourceOptions
source = open_stream(sys.argv[1], SourceOptions())
threading.Timer(0.2, source.stop).start()
print(sum(1 for frame in source.frames()))
source.close()
"""


def _environment() -> Dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if "OPENCV" not in key}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return environment


def _run(code: str, *addresses: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *addresses],
        env=_environment(),
        cwd=str(Path(__file__).parent),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("then", ["stall", "garbage"])
def test_nothing_is_printed_and_no_password_shown(then: str) -> None:
    stream = one_after_the_other(mjpeg(jpeg_frames(5), then=then))
    with serving(asks_for_password(stream)) as server:
        place = f"127.0.0.1:{server.port}/x?access_token=t0ken"
        done = _run(_READ, f"http://{URL_USER}@{place}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "log level as before: True" in done.stdout
    assert "http://***@127.0.0.1" in done.stdout
    for secret in ("eva", "s3cr", "t0ken"):
        assert secret not in done.stdout


def test_failures_print_nothing_either() -> None:
    addresses = [f"{scheme}://eva:geheim@127.0.0.1:9/x?key=t0ken" for scheme in ("http", "rtsp")]
    code = _READ.replace("source.close()\n    print(source.warnings)", "pass")
    done = _run(code, *addresses, "http://eva:geheim@cam.invalid/x")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("can't be opened") == 3
    for secret in ("eva", "geheim", "t0ken"):
        assert secret not in done.stdout


def test_ctrl_c_does_not_wait_for_a_server_that_says_nothing() -> None:
    asked = threading.Event()

    def say_nothing(connection: Connection) -> None:
        asked.set()
        connection.closing.wait()

    with serving(say_nothing) as server:
        address = f"http://127.0.0.1:{server.port}/x"
        started = subprocess.Popen(
            [sys.executable, "-c", _LEAVE, address],
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert asked.wait(30)
        time.sleep(0.3)
        started.send_signal(signal.SIGINT)
        pressed_s = time.monotonic()
        _, printed = started.communicate(timeout=30)
    assert time.monotonic() - pressed_s < 3  # the server would have had ten
    assert b"KeyboardInterrupt" in printed
    assert started.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT)


def test_a_program_ends_well_while_its_stream_stalls() -> None:
    with serving(mjpeg(jpeg_frames(5), then="stall")) as server:
        started_s = time.monotonic()
        done = _run(_LEAVE, f"http://127.0.0.1:{server.port}/x")
    assert time.monotonic() - started_s < 9  # the server would have had ten
    assert (done.returncode, done.stderr) == (0, "")
    assert 1 <= int(done.stdout) <= 5
