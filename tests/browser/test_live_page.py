"""The live page in a real browser, with a real pipeline on a drawn clip."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterator, Mapping
from urllib.parse import urlsplit

import pytest
from browser_waits import wait_for
from PIL import Image

from atlas_hpe_pipelines import Pipeline
from atlas_hpe_pipelines.drawn_hand import write_clip
from atlas_hpe_pipelines.serve import LivePage

if TYPE_CHECKING:
    from playwright.sync_api import Page

    NewPage = Callable[..., Page]
    Serve = Callable[..., LivePage]

pytest.importorskip("onnxruntime")

TOKEN = "a-token-for-the-browser"
#: Numbers of a canvas that change when what it shows does, and how many of its pixels have colour.
LOOK = """(id) => {
    const canvas = document.getElementById(id);
    // A copy: reading the page's own canvas would slow it down, and the browser complains.
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext("2d", {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let sum = 0, inked = 0;
    for (let at = 0; at < data.length; at += 4) {
        sum = (sum * 31 + data[at] + 2 * data[at + 1] + 3 * data[at + 2]) % 1000003;
        if (data[at + 3] && Math.max(data[at], data[at + 1], data[at + 2])
            - Math.min(data[at], data[at + 1], data[at + 2]) > 40) inked += 1;
    }
    return {sum, inked, width: canvas.width, height: canvas.height};
}"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "hand.mp4"
    write_clip(path, frames=45, size_px=(320, 240), fps=15.0)
    return path


@pytest.fixture
def serve(clip: Path) -> Iterator[Callable[..., LivePage]]:
    pages = []

    def start(**options: object) -> LivePage:
        def make(sinks: Mapping[str, object]) -> Pipeline:
            return Pipeline(clip, sinks=sinks)

        pages.append(LivePage(make, **{"port": 0, **options}))
        pages[-1].start()
        return pages[-1]

    yield start
    for page in pages:
        page.close()


def look(page: Page, canvas: str) -> Dict[str, int]:
    return page.evaluate(LOOK, canvas)


def wait_for_change(page: Page, canvas: str) -> None:
    before = look(page, canvas)["sum"]
    wait_for(page, f"(before) => ({LOOK})('{canvas}').sum !== before", before)


def wait_until_still(page: Page, canvas: str) -> Dict[str, int]:
    """Until what was under way is drawn, however slow the machine is; what is seen then."""
    end = time.monotonic() + 30
    seen = look(page, canvas)
    while True:
        page.wait_for_timeout(300)
        before, seen = seen, look(page, canvas)
        if seen == before:
            return seen
        assert time.monotonic() < end, f"{canvas} never stood still"


def stop(page: Page) -> None:
    page.click("#toggle")
    wait_for(page, "document.querySelector('#toggle').textContent === 'Start'")


def wait_until_running(page: Page) -> None:
    wait_for(page, "document.querySelector('#connection').textContent === 'running'")
    wait_for(page, "document.querySelector('#no-picture').hidden")


def scroll_width(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth")


def test_the_page_opens_and_the_picture_moves(serve: Serve, browser_page: Page) -> None:
    page = browser_page
    page.goto(serve().url)
    wait_until_running(page)
    size = look(page, "picture")
    assert (size["width"], size["height"]) == (320, 240)
    for _ in range(3):
        wait_for_change(page, "picture")
    assert "hand.mp4" in page.inner_text("#source")
    assert "measured on this host" in page.inner_text("#basis")
    assert scroll_width(page) <= 1280


def test_hands_are_listed_and_the_hand_in_space_turns(serve: Serve, browser_page: Page) -> None:
    page = browser_page
    url = serve().url
    page.goto(url)
    wait_until_running(page)
    page.wait_for_selector("#hands li")
    assert "hand" in page.inner_text("#hands li")
    assert "id 0" in page.inner_text("#hands li")
    stop(page)  # so that nothing but the mouse moves it
    shown = wait_until_still(page, "space")
    assert shown["inked"] > 300
    box = page.locator("#space").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 120, steps=5)
    page.mouse.up()
    wait_for_sum_other_than(page, shown["sum"])
    turned = wait_until_still(page, "space")
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=5)  # not pressed: nothing turns
    page.wait_for_timeout(200)
    assert look(page, "space")["sum"] == turned["sum"]
    page.focus("#space")
    page.keyboard.press("ArrowRight")
    wait_for_sum_other_than(page, turned["sum"])
    page.click("#front")
    page.wait_for_timeout(200)
    assert look(page, "space")["inked"] > 300


def wait_for_sum_other_than(page: Page, before: int) -> None:
    wait_for(page, f"(before) => ({LOOK})('space').sum !== before", before)


def test_the_charts_fill_and_the_table_names_every_step(serve: Serve, browser_page: Page) -> None:
    page = browser_page
    page.goto(serve().url)
    wait_until_running(page)
    for canvas in ("rate-chart", "time-chart"):
        wait_for(page, f"({LOOK})('{canvas}').inked > 60")
        wait_for_change(page, canvas)
    rows = page.locator("#stages tr").all_inner_texts()
    names = [row.split()[0] for row in rows]
    assert names[0] == "decode"
    assert {"infer", "draw"} <= set(names)
    assert all(float(row.split()[1]) >= 0 for row in rows)
    assert float(page.inner_text("#rate")) > 0


def test_stop_freezes_and_start_goes_on(serve: Serve, browser_page: Page) -> None:
    page = browser_page
    page.goto(serve().url)
    wait_until_running(page)
    assert page.inner_text("#toggle") == "Stop"
    stop(page)
    assert page.inner_text("#connection") == "stopped"
    before = wait_until_still(page, "picture")
    page.wait_for_timeout(500)
    assert look(page, "picture") == before
    assert page.is_visible("#no-picture")
    page.focus("#toggle")
    page.keyboard.press("Enter")
    wait_until_running(page)
    wait_for_change(page, "picture")


def test_snapshot_and_gif_are_saved(serve: Serve, browser_page: Page, tmp_path: Path) -> None:
    page = browser_page
    live = serve()
    page.goto(live.url)
    wait_until_running(page)
    with page.expect_download() as download:
        page.click("#snapshot")
    download.value.save_as(tmp_path / "saved.jpg")
    with Image.open(tmp_path / "saved.jpg") as picture:
        picture.load()
        assert (picture.format, picture.size) == ("JPEG", (320, 240))
    wait_until_kept(page, live, seconds=1.5)
    page.select_option("#clip-seconds", "2")
    with page.expect_download() as download:
        page.click("#clip")
    download.value.save_as(tmp_path / "saved.gif")
    with Image.open(tmp_path / "saved.gif") as gif:
        assert gif.size == (320, 240)
        assert gif.n_frames > 5
        length_ms = 0
        for index in range(gif.n_frames):
            gif.seek(index)
            gif.load()
            length_ms += gif.info["duration"]
    assert 1000 <= length_ms <= 2500


def wait_until_kept(page: Page, live: LivePage, seconds: float) -> None:
    """Until the pictures that the page has asked for last so long."""
    end = time.monotonic() + 30
    kept_s = 0.0
    while kept_s < seconds:
        assert time.monotonic() < end, f"only {kept_s:.2f} s were kept"
        page.wait_for_timeout(100)
        shots = live.view.recent(10)
        kept_s = shots[-1].clock_s - shots[0].clock_s if shots else 0.0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    serve: Serve, new_page: NewPage, scheme: str
) -> None:
    page = new_page(360, 740, has_touch=True, is_mobile=True, color_scheme=scheme)
    page.goto(serve().url)
    wait_until_running(page)
    page.wait_for_selector("#stages tr")
    assert scroll_width(page) == 360
    for control in ("#toggle", "#snapshot", "#clip", "#clip-seconds"):
        box = page.locator(control).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["height"] >= 44  # a finger hits it
    page.tap("#toggle")
    wait_for(page, "document.querySelector('#toggle').textContent === 'Start'")


def test_a_second_viewer_sees_the_same(serve: Serve, new_page: NewPage) -> None:
    url = serve().url
    first, second = new_page(), new_page(360, 740)
    for page in (first, second):
        page.goto(url)
        wait_until_running(page)
    for page in (first, second):
        wait_for_change(page, "picture")
    first.click("#toggle")
    wait_for(second, "document.querySelector('#toggle').textContent === 'Start'")


def test_the_token_opens_the_page_and_leaves_the_address(serve: Serve, new_page: NewPage) -> None:
    live = serve(token=TOKEN)
    page = new_page()
    assert page.goto(live.url).status == 401
    page.goto(f"{live.url}/?token={TOKEN}")
    wait_until_running(page)
    assert urlsplit(page.url).query == ""
    wait_for_change(page, "picture")
    stop(page)
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""
    page.complaints.clear()  # the 401 above is one


def test_an_error_is_shown_and_start_tries_again(
    serve: Serve, browser_page: Page, clip: Path
) -> None:
    page = browser_page
    live = serve()
    page.goto(live.url)
    wait_until_running(page)
    stop(page)
    away = clip.with_name("away.mp4")
    clip.rename(away)
    try:
        page.click("#toggle")
        page.wait_for_selector("#problem:not([hidden])")
        assert "hand.mp4" in page.inner_text("#problem")
        assert page.inner_text("#connection") == "failed"
    finally:
        away.rename(clip)
    page.click("#toggle")
    wait_until_running(page)
    assert not page.is_visible("#problem")


def test_a_server_that_comes_back_is_found_again(serve: Serve, browser_page: Page) -> None:
    page = browser_page
    live = serve()
    port = urlsplit(live.url).port
    page.goto(live.url)
    wait_until_running(page)
    live.close()
    wait_for(page, "document.querySelector('#connection').dataset.state === 'waiting'")
    serve(port=port)
    wait_until_running(page)
    wait_for_change(page, "picture")
    page.complaints.clear()  # refused connections are told by the browser


def test_what_can_be_used_has_a_name_and_is_reached_by_keyboard(
    serve: Serve, browser_page: Page
) -> None:
    page = browser_page
    page.goto(serve().url)
    wait_until_running(page)
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, a, select, canvas, [tabindex]")]
            .filter((element) => !(element.textContent.trim() || element.ariaLabel
                || element.getAttribute("aria-labelledby") || element.labels?.length))
            .map((element) => element.outerHTML)"""
    )
    assert unnamed == []
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"toggle", "snapshot", "clip", "clip-seconds", "front", "space"} <= reached


def test_a_page_that_nobody_sees_asks_for_nothing(serve: Serve, browser_page: Page) -> None:
    page = browser_page
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(serve().url)
    wait_until_running(page)
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", {get: () => window.away, configurable: true});
            window.away = true;
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.wait_for_timeout(300)
    before = len(asked)
    page.wait_for_timeout(700)
    assert len(asked) == before
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    wait_for_change(page, "picture")


def test_it_works_without_any_other_host(serve: Serve, browser_page: Page) -> None:
    page = browser_page
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    url = serve().url
    page.goto(url)
    wait_until_running(page)
    page.wait_for_timeout(1000)
    assert hosts - {""} == {urlsplit(url).netloc}
