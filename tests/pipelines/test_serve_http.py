"""The addresses of the live page, asked over a real connection."""

from __future__ import annotations

import io
import json
import threading
import time
from typing import Dict, List, Sequence

import jsonschema
import pytest
from live_pages import RATE, Client, DrawnPipeline, served, wait_until
from PIL import Image

from atlas_hpe.errors import OutputError, UsageError
from atlas_hpe_pipelines.serve import LivePage, events
from atlas_hpe_pipelines.serve.clip import make_clip
from atlas_hpe_pipelines.serve.live_view import Shot
from atlas_hpe_pipelines.sinks import load_schema


def open_image(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_the_page_and_what_it_loads_come_with_their_types() -> None:
    with served() as (_, client):
        status, headers, body = client.ask("/")
        assert status == 200
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert b"<!doctype html>" in body
        for name, kind in (("page.js", "text/javascript"), ("style.css", "text/css")):
            status, headers, body = client.ask(f"/static/{name}")
            assert (status, headers["content-type"]) == (200, f"{kind}; charset=utf-8")
            assert body
        assert client.ask("/static/icon.svg")[1]["content-type"] == "image/svg+xml"


def test_the_page_may_load_nothing_from_elsewhere() -> None:
    with served() as (_, client):
        _, headers, body = client.ask("/")
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert "*" not in policy
        assert b"//" not in body  # no address of another host
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_what_changes_is_kept_by_no_cache() -> None:
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        for path in ("/state", "/picture", "/snapshot.jpg"):
            assert client.ask(path)[1]["cache-control"] == "no-store"
        assert client.ask("/static/page.js")[1]["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/nothing", "/static/nothing.js", "/static/../app.py", "/static/%2e%2e%2fapp.py"]
)
def test_what_is_not_there_is_404(path: str) -> None:
    with served() as (_, client):
        assert client.ask(path)[0] == 404


def test_a_wrong_method_is_405() -> None:
    with served() as (_, client):
        assert client.ask("/picture", "POST")[0] == 405
        assert client.ask("/start")[0] == 405
        assert client.ask("/state", "DELETE")[0] == 405


@pytest.mark.parametrize("path", ["/", "/state", "/picture", "/snapshot.jpg", "/events"])
def test_head_tells_the_same_without_a_body(path: str) -> None:
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        status, headers, body = client.ask(path, "HEAD")
        assert (status, body) == (200, b"")
        assert headers["content-type"]


def test_pictures_are_waited_for_and_are_never_the_same_twice() -> None:
    with served() as (_, client):
        numbers: List[int] = [0]
        for _ in range(5):
            status, headers, body = client.ask(f"/picture?after={numbers[-1]}")
            assert status == 200
            assert headers["content-type"] == "image/jpeg"
            assert open_image(body).size == (64, 48)
            numbers.append(int(headers["x-picture-number"]))
            # The picture is that of the frame that the headers name.
            grey = open_image(body).getpixel((5, 5))[0]
            assert abs(grey - int(headers["x-frame-index"]) % 250) <= 2
            assert float(headers["x-frame-time-s"]) == pytest.approx(
                int(headers["x-frame-index"]) / RATE
            )
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "9" * 30, "%00"])
def test_a_picture_after_no_number_is_400(after: str) -> None:
    with served() as (_, client):
        assert client.ask(f"/picture?after={after}")[0] == 400


def test_a_picture_that_does_not_come_is_204(monkeypatch: pytest.MonkeyPatch) -> None:
    from atlas_hpe_pipelines.serve import app

    monkeypatch.setattr(app, "_PICTURE_WAIT_S", 0.2)
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        page.runner.stop()
        time.sleep(0.1)
        number = client.ask("/picture")[1]["x-picture-number"]
        assert client.ask(f"/picture?after={number}")[0] == 204


def test_frame_events_are_lines_of_the_published_schema() -> None:
    with served() as (_, client):
        came = client.events(6)
    frames = [(number, data) for name, number, data in came if name == "frame"]
    assert len(frames) >= 4
    for _, data in frames:
        jsonschema.validate(data, load_schema())
        assert data["hands"][0]["track_id"] == 3
        assert data["hands"][0]["joints"][20] == [None, None]
    numbers = [number for number, _ in frames]
    assert numbers == sorted(set(numbers))


def test_stats_events_come_about_once_a_second() -> None:
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        threading.Timer(2.5, page.runner.stop).start()
        states = []
        for number, (name, _, data) in enumerate(client.stream()):
            assert number or name == "stats"  # at once, so that a page need not wait
            states += [data] if name == "stats" else []
            if states[-1]["state"] == "stopped":
                break
    assert 4 <= len(states) <= 6
    told = states[0]
    assert told["source"] == "drawn"
    assert told["basis_text"] == "measured on this host, onnxruntime"
    assert told["stages"][0]["recent_ms"] == 1.5
    assert states[2]["frames_per_s"] == pytest.approx(RATE, rel=0.3)


def test_a_change_of_the_state_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_STATE_EVERY_S", 60.0)
    with served() as (page, client):
        threading.Timer(0.5, page.runner.stop).start()
        started = time.monotonic()
        for name, _, data in client.stream():
            if name == "stats" and data["state"] == "stopped":
                break
        assert time.monotonic() - started < 10


def test_a_simulated_device_is_called_one() -> None:
    class Simulated(DrawnPipeline):
        def report(self) -> object:
            from dataclasses import replace

            return replace(super().report(), basis="simulated", backend="simulator")

    with served(Simulated) as (_, client):
        wait_until(lambda: client.state().get("frames"))
        assert "no time is one of a board" in client.state()["basis_text"]


def test_stop_and_start() -> None:
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        status, _, body = client.ask("/stop", "POST")
        assert (status, json.loads(body)["state"]) == (202, "stopped")
        time.sleep(0.2)
        number = page.view.number
        time.sleep(0.2)
        assert page.view.number == number
        status, _, body = client.ask("/start", "POST")
        assert (status, json.loads(body)["state"]) == (202, "starting")
        wait_until(lambda: page.view.number > number + 3)
        assert client.state()["state"] == "running"


def test_a_snapshot_is_a_picture_to_be_saved() -> None:
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        status, headers, body = client.ask("/snapshot.jpg")
        assert status == 200
        assert open_image(body).format == "JPEG"
        assert headers["content-disposition"].startswith('attachment; filename="hands-')


def test_before_the_first_picture_there_is_no_snapshot() -> None:
    with served(lambda sinks: DrawnPipeline(sinks, frames=0), once=True) as (_, client):
        assert client.ask("/snapshot.jpg")[0] == 404


def watch(client: Client, seconds: float) -> None:
    """Ask for pictures, as a page does."""
    end = time.monotonic() + seconds
    number = "0"
    while time.monotonic() < end:
        number = client.ask(f"/picture?after={number}")[1]["x-picture-number"]


def test_a_clip_is_as_long_as_what_it_shows() -> None:
    with served() as (_, client):
        watch(client, 1.8)
        status, headers, body = client.ask("/clip.gif?seconds=1")
    assert status == 200
    assert headers["content-type"] == "image/gif"
    assert "attachment" in headers["content-disposition"]
    gif = open_image(body)
    length_ms = 0
    for index in range(gif.n_frames):
        gif.seek(index)
        length_ms += gif.info["duration"]
    assert gif.size == (64, 48)
    assert 900 <= length_ms <= 1150


def test_a_wide_clip_is_shrunk() -> None:
    with served(lambda sinks: DrawnPipeline(sinks, size_px=(960, 200))) as (_, client):
        watch(client, 0.5)
        gif = open_image(client.ask("/clip.gif")[2])
    assert gif.size == (480, 100)


@pytest.mark.parametrize("seconds", ["0", "-1", "11", "nan", "inf", "x", ""])
def test_a_clip_of_an_impossible_length_is_400(seconds: str) -> None:
    with served() as (_, client):
        assert client.ask(f"/clip.gif?seconds={seconds}")[0] == 400


def test_where_nobody_watched_there_is_no_clip_but_asking_is_watching() -> None:
    with served() as (page, client):
        wait_until(lambda: page.view.number)
        status, headers, _ = client.ask("/clip.gif")
        assert status == 409
        assert headers["retry-after"]
        wait_until(lambda: client.ask("/clip.gif", "HEAD")[0] == 200)


def test_one_clip_is_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from atlas_hpe_pipelines.serve import app

    go, begun = threading.Event(), threading.Event()

    def make(shots: Sequence[object], ended: threading.Event) -> bytes:
        begun.set()
        go.wait(20)
        return b"GIF"

    monkeypatch.setattr(app, "make_clip", make)
    with served() as (_, client):
        watch(client, 0.2)
        answers: Dict[str, int] = {}
        first = threading.Thread(target=lambda: answers.update(a=client.ask("/clip.gif")[0]))
        first.start()
        assert begun.wait(20)
        status, headers, _ = client.ask("/clip.gif")
        assert status == 503
        assert headers["retry-after"]
        assert client.ask("/state")[0] == 200  # the server answers others meanwhile
        go.set()
        first.join()
        assert answers == {"a": 200}
        assert client.ask("/clip.gif")[0] == 200


def test_a_clip_that_is_being_made_does_not_keep_the_server_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from atlas_hpe_pipelines.serve import app

    begun = threading.Event()

    def make(shots: Sequence[Shot], ended: threading.Event) -> bytes:
        begun.set()
        ended.wait(30)
        return make_clip(shots, ended)

    monkeypatch.setattr(app, "make_clip", make)
    with served() as (page, client):
        watch(client, 0.2)
        threading.Thread(target=lambda: client.ask("/clip.gif"), daemon=True).start()
        assert begun.wait(20)
        started = time.monotonic()
        page.close()
        assert time.monotonic() - started < 8


def test_a_clip_is_given_up_when_nobody_wants_it_any_more() -> None:
    ended = threading.Event()
    ended.set()
    with pytest.raises(OutputError, match="closing"):
        make_clip([Shot(1, 0, 0.0, 0.0, (8, 8), b"")], ended)


def test_the_port_is_free_again_after_the_page() -> None:
    with served() as (_, client):
        connection = client.connect()
        connection.request("GET", "/events")
        connection.getresponse()  # still open when the page is closed
        port = client.port
    with served(port=port) as (_, client):
        assert client.ask("/state")[0] == 200


def test_a_port_that_is_taken_is_one_clear_error() -> None:
    with served() as (_, client), pytest.raises(UsageError, match="port can't be opened") as caught:
        LivePage(DrawnPipeline, port=client.port)
    assert caught.value.where == f"127.0.0.1:{client.port}"
    assert "--port" in str(caught.value.fix)


def test_a_host_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="host can't be found"):
        LivePage(DrawnPipeline, host="no.such.host.invalid", port=0)
    with pytest.raises(UsageError, match="port can't be opened"):
        LivePage(DrawnPipeline, host="192.0.2.77", port=0)
