"""The stream of events: each reader gets the newest frame it can take, never a backlog."""

from __future__ import annotations

from time import monotonic
from typing import AsyncIterator, Callable, Optional

from atlas_hpe_pipelines.serve.bell import Bell
from atlas_hpe_pipelines.serve.live_view import LiveView
from atlas_hpe_pipelines.serve.state import RunState

__all__ = ["format_event", "stream_events"]

_STATE_EVERY_S = 1.0


async def stream_events(
    view: LiveView, state: RunState, run_state: Callable[[], str], bell: Bell
) -> AsyncIterator[str]:
    """Server-sent events (HTML standard, section 9.2) for one reader.

    ``frame`` events are the lines of a .jsonl output, their ids the numbers of the view: where
    numbers are missing, frames came while this reader was not ready. ``stats`` events are the state
    of the run, about once a second and when it changes.

    While a reader does not read, the generator stands still and nothing is kept for it; then it
    goes on with the newest frame.

    Args:
        view: Where frames come from.
        state: What ``stats`` events hold.
        run_state: The runner's state, to see that it changed.
        bell: Rings after every frame and every change.

    Yields:
        Events, until the bell is closed.
    """
    yield "retry: 1000\n\n"
    sent = 0
    told: Optional[str] = None
    tell_at_s = 0.0
    while not bell.closed:
        now_s = monotonic()
        if now_s >= tell_at_s or run_state() != told:
            told, tell_at_s = run_state(), now_s + _STATE_EVERY_S
            yield format_event("stats", state.as_json())
        number, record = view.record()
        if record is not None and number != sent:
            sent = number
            yield format_event("frame", record, number)
        else:
            await bell.wait(tell_at_s - now_s)


def format_event(name: str, data: str, number: Optional[int] = None) -> str:
    """One event; ``data`` is one line."""
    head = f"event: {name}\n" if number is None else f"id: {number}\nevent: {name}\n"
    return f"{head}data: {data}\n\n"
