"""The files that sinks write, in a real browser: they play, move, and keep their colours."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, Tuple

import numpy as np
import pytest
from PIL import Image, ImageSequence

from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sinks import PALETTES, OutputOptions, open_sink

if TYPE_CHECKING:
    from playwright.sync_api import Page

    NewPage = Callable[..., Page]

SIZE_PX = (161, 121)  # odd, as a shrunk picture can be
FPS = 20.0
# What the first and the second half of the clip show, RGB.
FIRST, SECOND = (200, 40, 60), (30, 90, 210)

PLAY = """async (url) => {
    const video = document.createElement("video");
    video.muted = true;
    video.src = url;
    document.body.replaceChildren(video);
    const show = (time) => new Promise((done, fail) => {
        video.onerror = () => fail(new Error(video.error.message));
        video.onseeked = () => {
            const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
            const context = canvas.getContext("2d", {willReadFrequently: true});
            context.drawImage(video, 0, 0);
            done([...context.getImageData(20, 20, 1, 1).data.slice(0, 3)]);
        };
        video.currentTime = time;
    });
    await new Promise((done, fail) => {
        video.onloadeddata = done;
        video.onerror = () => fail(new Error(video.error.message));
    });
    const first = await show(0.2), second = await show(video.duration - 0.2);
    await show(0);
    await video.play();
    await new Promise((done) => { video.onended = done; });
    return {first, second, duration: video.duration, played: video.currentTime,
            size: [video.videoWidth, video.videoHeight]};
}"""

# Each frame as the browser decodes it: its pixels, and how long it stands in microseconds.
DECODE = """async (encoded) => {
    const data = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const decoder = new ImageDecoder({data, type: "image/gif"});
    await decoder.tracks.ready;
    await decoder.completed;
    const {frameCount, repetitionCount} = decoder.tracks.selectedTrack;
    const frames = [];
    for (let frameIndex = 0; frameIndex < frameCount; frameIndex++) {
        const {image} = await decoder.decode({frameIndex});
        const size = [image.displayWidth, image.displayHeight];
        const context = new OffscreenCanvas(...size).getContext("2d", {willReadFrequently: true});
        context.drawImage(image, 0, 0);
        frames.push({us: image.duration, data: [...context.getImageData(0, 0, ...size).data]});
    }
    return {frames, repetitions: String(repetitionCount)};
}"""


def write_two_halves(path: Path, palette: str = "tracked") -> None:
    """A clip of two seconds, one colour and then another, with a line that moves."""
    options = OutputOptions(palette=palette)
    with open_sink(path, fps=FPS, size_px=SIZE_PX, options=options) as sink:
        for index in range(40):
            colour = FIRST if index < 20 else SECOND
            picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), colour[::-1], np.uint8)
            picture[60:64, 2 * index : 2 * index + 40] = 255
            sink.write(Frame(index, index / FPS, picture), picture, ())


def as_url(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_a_video_plays(tmp_path: Path, new_page: NewPage, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    write_two_halves(path)
    told = new_page().evaluate(PLAY, as_url(path, f"video/{suffix}"))
    assert told["size"] == [162, 122]
    assert told["duration"] == pytest.approx(2.0, abs=0.05)
    assert told["played"] == pytest.approx(told["duration"], abs=0.1)
    assert told["first"] == pytest.approx(list(FIRST), abs=6)
    assert told["second"] == pytest.approx(list(SECOND), abs=6)


@pytest.mark.slow
@pytest.mark.parametrize("palette", PALETTES)
def test_a_gif_plays(tmp_path: Path, new_page: NewPage, palette: str) -> None:
    path = tmp_path / "clip.gif"
    write_two_halves(path, palette)
    page = new_page()
    page.set_content(f"<body style='margin: 0'><img src='{as_url(path, 'image/gif')}'></body>")
    image = page.locator("img")
    image.evaluate("image => image.decode()")
    assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == list(SIZE_PX)

    def colour() -> Tuple[int, ...]:
        with Image.open(io.BytesIO(image.screenshot())) as shot:
            return tuple(shot.convert("RGB").getpixel((20, 20)))

    def shows(wanted: Tuple[int, ...]) -> bool:
        return max(abs(a - b) for a, b in zip(colour(), wanted)) <= 8

    # It repeats for ever, so both halves come again and again.
    end = time.monotonic() + 30
    for wanted in (SECOND, FIRST, SECOND):
        while not shows(wanted):
            assert time.monotonic() < end, f"{wanted} never came, it shows {colour()}"


@pytest.mark.parametrize("size_px", [(1, 1), (33, 21)])
@pytest.mark.parametrize("times_s", [[0.0], [5.0, 5.1, 5.13, 5.5, 5.52, 6.7]], ids=["one", "many"])
def test_a_gif_has_the_frames_and_times_that_pillow_reads(
    tmp_path: Path, new_page: NewPage, size_px: Tuple[int, int], times_s: List[float]
) -> None:
    path = tmp_path / "clip.gif"
    random = np.random.RandomState(0)
    with open_sink(path, fps=FPS, size_px=size_px, options=OutputOptions(loop=3)) as sink:
        for index, time_s in enumerate(times_s):
            picture = np.full((size_px[1], size_px[0], 3), 40 * index, np.uint8)
            picture[:9, :9] = random.randint(0, 256, picture[:9, :9].shape)
            sink.write(Frame(index, time_s, picture), picture, ())
    page = new_page()
    # Only pages of a safe origin may decode; this one is served by nobody.
    page.route(
        "http://localhost/**", lambda route: route.fulfill(content_type="text/html", body="")
    )
    page.goto("http://localhost/")
    told = page.evaluate(DECODE, base64.b64encode(path.read_bytes()).decode("ascii"))
    assert told["repetitions"] == "3"
    with Image.open(path) as gif:
        wanted = [(f.convert("RGB"), f.info["duration"]) for f in ImageSequence.Iterator(gif)]
    assert len(told["frames"]) == len(wanted) == len(times_s)
    for frame, (picture, duration_ms) in zip(told["frames"], wanted):
        pixels = np.array(frame["data"], np.uint8).reshape(-1, 4)[:, :3]
        np.testing.assert_array_equal(pixels, np.asarray(picture).reshape(-1, 3))
        assert frame["us"] == 1000 * duration_ms
