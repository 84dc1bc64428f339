"""Waiting for a page: Playwright's own way evaluates strings, which a strict page forbids."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def wait_for(page: Page, expression: str, argument: object = None, seconds: float = 30.0) -> object:
    """Until a JavaScript expression, or a function of the argument, is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = page.evaluate(expression, argument)
        if value:
            return value
        assert time.monotonic() < end, f"it never came to that: {expression}"
        page.wait_for_timeout(50)
