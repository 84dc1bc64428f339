"""A real browser for the tests of pages: the system's Chromium, without a window."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Callable, Iterator, List, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def miss(reason: str) -> NoReturn:
    """Outside CI a machine may do without a browser; in CI its absence is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        miss("needs the Python package playwright")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        miss(f"needs a browser: none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(FLAGS), ignore_default_args=["--headless"]
        )
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages, each a viewer of its own; a test in which one complains has failed."""
    pages: List[Page] = []
    complaints: List[str] = []

    def open_page(width_px: int = 1280, height_px: int = 900, **options: object) -> Page:
        viewport = {"width": width_px, "height": height_px}
        page = browser.new_context(viewport=viewport, **options).new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("console", lambda message: _note(message.type, message.text, complaints))
        page.complaints = complaints  # a test that expects some empties it
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert complaints == []


@pytest.fixture
def browser_page(new_page: Callable[..., Page]) -> Page:
    """One page of desktop width."""
    return new_page()


def _note(kind: str, text: str, complaints: List[str]) -> None:
    if kind in ("error", "warning"):
        complaints.append(f"{kind}: {text}")
