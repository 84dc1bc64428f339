"""HTTP streams of real servers: Motion JPEG, files, and everything that goes wrong."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import List

import numpy as np
import pytest
from live_cases import QUICK, no_thread_is_left, numbers, readers
from stream_servers import (
    URL_USER,
    Handler,
    StreamServer,
    answer,
    asks_for_password,
    file_over_http,
    jpeg_frames,
    mjpeg,
    one_after_the_other,
    serving,
)

import clips
from atlas_hpe.errors import InputError, SourceError
from atlas_hpe_pipelines.sources.live import open_stream
from atlas_hpe_pipelines.sources.source import Source, SourceOptions

__all__ = ["no_thread_is_left"]


def _open(server: StreamServer, user: str = "", **options: object) -> Source:
    address = f"http://{user}127.0.0.1:{server.port}/cam?token=geheim"
    return open_stream(address, SourceOptions(**options), patience=QUICK)  # type: ignore[arg-type]


def _read_to_the_error(source: Source) -> List[np.ndarray]:
    images = []
    with pytest.raises(SourceError):
        for frame in source.frames():
            images.append(frame.image)
    source.close()
    return images


@pytest.mark.parametrize("user", ["", f"{URL_USER}@"])
def test_motion_jpeg_comes_whole_and_in_order(user: str) -> None:
    handle = mjpeg(jpeg_frames(40))
    with serving(asks_for_password(handle) if user else handle) as server:
        source = _open(server, user, drop="never", reconnect_s=0)
        assert (source.live, source.frame_count, source.size_px) == (True, None, (64, 48))
        assert source.name.startswith("http://***@127" if user else "http://127")
        assert source.name.endswith("/cam?token=***")
        assert numbers(_read_to_the_error(source)) == list(range(40))


def test_a_stream_that_closes_is_connected_again_and_may_change_its_size() -> None:
    busy = answer("503 Busy")  # twice: after a failure the server is asked for its reason
    streams = [mjpeg(jpeg_frames(5)), busy, busy, mjpeg(jpeg_frames(5, (96, 64)))]
    with serving(one_after_the_other(*streams)) as server:
        source = _open(server, drop="never", reconnect_s=0.8)
        sizes = [image.shape[:2] for image in _read_to_the_error(source)]
    assert sizes == [(48, 64)] * 5 + [(64, 96)] * 5
    assert "back after" in source.warnings[0]
    assert "not back yet" in source.warnings[1]


def test_a_stall_is_a_loss_and_what_follows_is_read() -> None:
    streams = [mjpeg(jpeg_frames(5), then="stall"), mjpeg(jpeg_frames(3))]
    with serving(one_after_the_other(*streams)) as server:
        source = _open(server, drop="never", reconnect_s=QUICK.read_s + 0.6)
        assert numbers(_read_to_the_error(source)) == [0, 1, 2, 3, 4, 0, 1, 2]
    assert "(no picture for 1 s), back after " in source.warnings[0]


def test_stop_does_not_wait_for_a_server_that_stalls() -> None:
    with serving(mjpeg(jpeg_frames(5), then="stall")) as server:
        source = _open(server)
        stopped_s: List[float] = []

        def stop() -> None:
            stopped_s.append(time.monotonic())
            source.stop()

        threading.Timer(0.3, stop).start()
        assert 1 <= len(list(source.frames())) <= 5
        assert time.monotonic() - stopped_s[0] < 0.2
        source.close()
        assert time.monotonic() - stopped_s[0] < QUICK.close_s + 0.4
        # What is stuck ends at its time-out: no_thread_is_left waits for it, and the server stays.
        no_later_s = stopped_s[0] + QUICK.read_s + 0.5
        while readers():
            assert time.monotonic() < no_later_s
            time.sleep(0.02)


def test_garbage_ends_a_stream_and_nothing_of_it_is_shown() -> None:
    streams = [mjpeg(jpeg_frames(5), then="garbage"), mjpeg(jpeg_frames(5))]
    with serving(one_after_the_other(*streams)) as server:
        source = _open(server, drop="never", reconnect_s=0.5)
        assert numbers(_read_to_the_error(source)) == [0, 1, 2, 3, 4] * 2


def test_a_slow_sender_is_waited_for() -> None:
    with serving(mjpeg(jpeg_frames(6), every_s=0.4)) as server:
        source = _open(server, drop="never", reconnect_s=0)
        times_s = []
        with pytest.raises(SourceError):
            for frame in source.frames():
                times_s.append(frame.time_s)
        source.close()
    assert len(times_s) == 6  # the first few are held back together while the stream is recognised
    assert times_s[-1] - times_s[-2] == pytest.approx(0.4, abs=0.2)


def test_newest_stays_close_to_a_fast_sender() -> None:
    with serving(mjpeg(jpeg_frames(100), every_s=0.005)) as server:
        source = _open(server, drop="newest", reconnect_s=0)
        indices = []
        with pytest.raises(SourceError):
            for frame in source.frames():
                indices.append(frame.index)
                time.sleep(0.05)
        source.close()
    assert source.dropped > 30
    assert source.dropped >= indices[-1] + 1 - len(indices)
    assert max(np.diff(indices)) > 3


def test_a_picture_behind_an_address_is_asked_for_again_and_again() -> None:
    with serving(file_over_http(jpeg_frames(1)[0], "image/jpeg")) as server:
        source = _open(server)
        frames = source.frames()
        assert [next(frames).index for _ in range(3)] == [0, 1, 2]
        source.close()
        assert server.connections >= 3


def _clip(tmp_path: Path, count: int = 30) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (count, 48, 64, 3), np.uint8)
    return clips.encode(noise, tmp_path / "clip.mp4", "-movflags", "+faststart").read_bytes()


def test_a_file_over_http_is_read_like_a_file(tmp_path: Path) -> None:
    with serving(file_over_http(_clip(tmp_path))) as server:
        source = _open(server, drop="newest")
        assert (source.live, source.frame_count, source.fps) == (False, 30, 25)
        frames = []
        for frame in source.frames():
            frames.append(frame)
            time.sleep(0.005)
        source.close()
        connections = server.connections
    assert [frame.index for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(30) / 25, atol=1e-3)
    assert (source.warnings, source.dropped) == ([], 0)
    assert connections <= 2


def test_a_file_that_breaks_off_gives_its_frames_and_a_warning_with_the_count(
    tmp_path: Path,
) -> None:
    content = _clip(tmp_path, 60)
    with serving(file_over_http(content, stop_at=len(content) * 6 // 10)) as server:
        source = _open(server)
        read = len(list(source.frames()))
        source.close()
    assert 20 < read < 60
    assert len(source.warnings) == 1
    assert (
        f"read {read} of the 60 frames it declares; the connection was lost" in source.warnings[0]
    )


def test_times_of_a_variable_frame_rate_are_kept_over_http(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.2, 0.21, 0.5, 1.0]
    path = clips.variable_rate(clips.spot_frames(6), tmp_path / "clip.mp4", times_s)
    with serving(file_over_http(path.read_bytes())) as server:
        source = _open(server)
        found_s = [frame.time_s for frame in source.frames()]
        source.close()
    np.testing.assert_allclose(found_s, times_s, atol=2e-3)


@pytest.mark.parametrize(
    ("handle", "user", "why"),
    [
        (answer("404 Not Found"), "", "nothing under this path (404)"),
        (answer("500 Oops"), "", "the server answers 500"),
        (answer("302 Found"), "", "the server answers 302"),
        (answer("200 OK"), "", "sends text/html, which is no video"),
        (answer("200 OK", "video/mp4", bytes(range(256)) * 99), "", "nothing that can be decoded"),
        (answer("200 OK", "video/mp4", b""), "", "nothing that can be decoded"),
        (asks_for_password(answer("200 OK")), "", "asks for a password (401)"),
        (
            asks_for_password(answer("200 OK")),
            "eva:falsch@",
            "refuses user, password or path (401)",
        ),
        (asks_for_password(answer("404 No")), f"{URL_USER}@", "nothing under this path (404)"),
        (lambda connection: connection.send(b"\xff\xfe\n\n" * 9), "", "127.0.0.1 port"),
        (lambda connection: None, "", "127.0.0.1 port"),
    ],
)
def test_what_can_not_be_opened_says_why(handle: Handler, user: str, why: str) -> None:
    with serving(handle) as server, pytest.raises(SourceError) as failure:
        _open(server, user)
    assert why in str(failure.value.why)
    assert failure.value.fix
    assert "geheim" not in str(failure.value)
    assert "falsch" not in str(failure.value)


def test_a_server_that_says_nothing_is_not_waited_for_long() -> None:
    started_s = time.monotonic()
    with serving(lambda connection: connection.closing.wait()) as server:  # noqa: SIM117
        with pytest.raises(SourceError, match="can't be opened") as failure:
            _open(server)
    assert failure.value.why == "127.0.0.1 does not answer within 1 s"
    assert time.monotonic() - started_s < 2 * QUICK.open_s + 1.5


@pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "rtsps"])
def test_nobody_listens(scheme: str) -> None:
    with pytest.raises(SourceError) as failure:
        open_stream(f"{scheme}://eva:geheim@127.0.0.1:9/x", SourceOptions(), patience=QUICK)
    assert failure.value.why == "nothing listens on port 9 of 127.0.0.1"
    assert failure.value.where == f"{scheme}://***@127.0.0.1:9/x"


def test_a_host_without_address_is_named() -> None:
    with pytest.raises(SourceError) as failure:
        open_stream("rtsp://eva:geheim@cam.invalid/x", SourceOptions(), patience=QUICK)
    assert failure.value.why == "no address is known for the host cam.invalid"


def test_https_to_a_server_without_it_is_told() -> None:
    with serving(answer("200 OK")) as server, pytest.raises(SourceError) as failure:
        open_stream(f"https://127.0.0.1:{server.port}/x", SourceOptions(), patience=QUICK)
    assert failure.value.why


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://eva:geh/eim@host/x",
        "rtsp://eva:geheim@host:port/x",
        "rtsp://eva:geheim@host:0/x",
        "rtsp://eva:gehe im@host/x",
        "rtsp://eva:geheim@host/x\n",
        "rtsp://eva:geheim@[::1/x",
        "rtsp://eva:geheim@/x",
        "http://",
    ],
)
def test_a_malformed_address_is_refused_and_nothing_of_it_shown(address: str) -> None:
    with pytest.raises(InputError, match="malformed") as failure:
        open_stream(address, SourceOptions(), patience=QUICK)
    assert "eim" not in str(failure.value)
    assert "%2F" in str(failure.value)


def test_other_kinds_of_addresses_are_refused() -> None:
    with pytest.raises(InputError, match="gopher:// are not read"):
        open_stream("gopher://host/x", SourceOptions(), patience=QUICK)


def test_a_scheme_in_capitals_is_understood() -> None:
    with serving(mjpeg(jpeg_frames(3))) as server:
        source = open_stream(f"HTTP://127.0.0.1:{server.port}/x", SourceOptions(), patience=QUICK)
        source.close()
