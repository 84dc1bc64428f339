"""RTSP of a real server: H.264 in RTP over TCP, with and without a password."""

from __future__ import annotations

import time
from typing import List

import numpy as np
import pytest
from live_cases import QUICK, no_thread_is_left
from rtsp_server import Picture, h264_pictures, rtsp
from stream_servers import URL_USER, StreamServer, answer, one_after_the_other, serving

from atlas_hpe.errors import SourceError
from atlas_hpe_pipelines.sources.live import open_stream
from atlas_hpe_pipelines.sources.source import Source, SourceOptions

__all__ = ["no_thread_is_left"]


@pytest.fixture(scope="module")
def pictures() -> List[Picture]:
    return h264_pictures(60)


def _open(server: StreamServer, user: str = "", **options: object) -> Source:
    address = f"rtsp://{user}127.0.0.1:{server.port}/live?token=geheim"
    return open_stream(address, SourceOptions(**options), patience=QUICK)  # type: ignore[arg-type]


def _levels(source: Source) -> List[float]:
    levels = []
    with pytest.raises(SourceError):
        for frame in source.frames():
            levels.append(float(frame.image.mean()))
    source.close()
    return levels


@pytest.mark.parametrize("password", [None, "Basic", "Digest"])
def test_a_stream_comes_whole_and_in_order(pictures: List[Picture], password: str) -> None:
    with serving(rtsp(pictures, password=password)) as server:
        source = _open(server, f"{URL_USER}@" if password else "", drop="never", reconnect_s=0)
        assert (source.live, source.frame_count, source.size_px) == (True, None, (64, 48))
        assert source.fps == 25
        levels = _levels(source)
    # All but one or two at the end, which a decoder holds back when the connection breaks.
    assert 57 <= len(levels) <= 60
    np.testing.assert_allclose(levels, 2 * np.arange(len(levels)), atol=1.5)


def test_a_lost_stream_comes_back(pictures: List[Picture]) -> None:
    streams = [rtsp(pictures[:40]), rtsp(pictures[:40])]
    with serving(one_after_the_other(*streams)) as server:
        source = _open(server, drop="never", reconnect_s=1.5)
        levels = _levels(source)
    assert 70 <= len(levels) <= 80
    assert "back after" in source.warnings[0]
    assert source.warnings[1].endswith("not back yet")


def test_a_stall_is_noticed(pictures: List[Picture]) -> None:
    with serving(rtsp(pictures, then="stall", every_s=0.005)) as server:
        source = _open(server, drop="never", reconnect_s=0)
        started_s = time.monotonic()
        assert len(_levels(source)) >= 57
    assert time.monotonic() - started_s < 2 * QUICK.read_s + 2
    assert "no picture for" in source.warnings[0]


@pytest.mark.parametrize(
    ("options", "user", "why"),
    [
        ({"password": "Basic"}, "", "asks for a password (401)"),
        ({"password": "Digest"}, "", "asks for a password (401)"),
        ({"password": "Basic"}, "eva:falsch@", "refuses user, password or path (401)"),
        ({"password": "Digest"}, "eva:falsch@", "refuses user, password or path (401)"),
        ({"status": "404 Not Found"}, "", "nothing under this path (404)"),
        ({"password": "Basic", "status": "404 No"}, f"{URL_USER}@", "under this path (404)"),
        ({"status": "453 Not Enough Bandwidth"}, "", "the server answers 453"),
    ],
)
def test_what_can_not_be_opened_says_why(
    pictures: List[Picture], options: dict, user: str, why: str
) -> None:
    with serving(rtsp(pictures, **options)) as server, pytest.raises(SourceError) as failure:
        _open(server, user)
    assert why in str(failure.value.why)
    assert "geheim" not in str(failure.value)
    assert "falsch" not in str(failure.value)


def test_a_server_of_another_kind_is_told() -> None:
    with serving(answer("200 OK")) as server, pytest.raises(SourceError) as failure:
        _open(server)
    assert failure.value.why == "the server answers in no form that is known"
