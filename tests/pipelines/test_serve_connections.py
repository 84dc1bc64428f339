"""Connections of the live page: those who do not read, do not ask, or go away."""

from __future__ import annotations

import gc
import socket
import time
from typing import Tuple

import pytest
from live_pages import RATE, DrawnPipeline, served, wait_until

from atlas_hpe_pipelines.serve import LivePage, web_server


def test_readers_that_do_not_read_slow_nobody_down_and_skip_frames(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Their sockets are full at once: what is sent to them has nowhere to go."""
    with served(lambda sinks: DrawnPipeline(sinks, hands=8)) as (page, client):
        lazy = []
        for _ in range(8):
            reader = socket.socket()
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            reader.connect((client.host, client.port))
            reader.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            lazy.append(reader)
        wait_until(lambda: page.view.frames_per_s() > 0.9 * RATE)
        before = page.view.number
        time.sleep(4.0)  # hundreds of events of 10 kB, far more than the buffers hold
        came = page.view.number - before
        assert came > 0.8 * 4.0 * RATE
        number, gap = catch_up(page, lazy[0])
        assert page.view.number - number <= 25
        assert gap > 20  # it went on with the newest, not with a backlog
    # The server has closed while the others still did not read, and has left nothing undone.
    gc.collect()
    assert caplog.text == ""
    for reader in lazy:
        reader.close()


def catch_up(page: LivePage, reader: socket.socket) -> Tuple[int, int]:
    """Read until an event is new: its number, and the most numbers that were left out."""
    reader.settimeout(20)
    number = gap = 0
    with reader.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("id: "):
                last, number = number, int(line[4:])
                gap = max(gap, number - last) if last else 0
                if page.view.number - number <= 25:
                    return number, gap
    raise AssertionError("the events ended")


def test_a_viewer_that_goes_away_in_the_middle_harms_nobody() -> None:
    with served() as (page, client):
        for _ in range(10):
            connection = client.connect()
            connection.request("GET", "/events")
            connection.sock.close()
        assert len(client.events(5)) == 5
        assert page.runner.state == "running"


def test_viewers_who_read_do_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "_GRACE_S", 60.0)
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        reader, picture = client.connect(), client.connect()
        reader.request("GET", "/events")
        reader.getresponse()
        page.runner.stop()
        time.sleep(0.1)
        picture.request("GET", f"/picture?after={page.view.number}")
        time.sleep(0.1)
        started = time.monotonic()
        page.close()
        assert time.monotonic() - started < 8
        reader.close()
        picture.close()


def test_connections_that_ask_nothing_are_closed_and_those_that_wait_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_server, "_MOST_IDLE_S", 0.3)
    asked = b"GET /static/icon.svg HTTP/1.1\r\nHost: localhost\r\n"
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        page.runner.stop()
        number = client.ask("/picture")[1]["x-picture-number"]
        waiting = client.connect()
        waiting.request("GET", f"/picture?after={number}")
        for words in (b"", asked, asked + b"\r\n" + asked):  # none, half of one, one and a half
            began_s = time.monotonic()
            with socket.create_connection((client.host, client.port), timeout=20) as raw:
                raw.sendall(words)
                answer = b"".join(iter(lambda raw=raw: raw.recv(4096), b""))
                assert answer.count(b" 200 OK") == words.count(b"\r\n\r\n")
            assert 0.25 < time.monotonic() - began_s < 4  # uvicorn closes some after 5 s
        page.runner.start()
        assert waiting.getresponse().status == 200
        waiting.close()


def test_a_connection_that_is_used_again_and_again_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_server, "_MOST_IDLE_S", 0.5)
    with served() as (_, client):
        connection = client.connect()
        connection.connect()
        opened = connection.sock
        for _ in range(20):
            connection.request("GET", "/state")
            connection.getresponse().read()
            time.sleep(0.1)
        assert connection.sock is opened
        connection.close()
