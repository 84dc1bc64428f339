"""The addresses of the server: the page, pictures, events, and what the buttons do."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Dict, Optional, Tuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_pipelines.serve.bell import Bell
from atlas_hpe_pipelines.serve.clip import make_clip
from atlas_hpe_pipelines.serve.events import stream_events
from atlas_hpe_pipelines.serve.live_view import RING_S, LiveView, Shot
from atlas_hpe_pipelines.serve.runner import Runner
from atlas_hpe_pipelines.serve.state import RunState

__all__ = ["Site", "make_app"]

#: A picture that is asked for and does not come is answered after so long, without one.
_PICTURE_WAIT_S = 10.0
_MOST_DIGITS = 18
_STATIC = Path(__file__).with_name("static")
_TYPES: Dict[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass
class Site:
    """What the addresses need.

    Attributes:
        runner: What runs.
        view: What has come of it.
        bell: Rings after every frame and every change of the runner.
        worker: Makes clips, one at a time, beside the loop of the server.
        ended: Set when the server closes.
        making: Somebody's clip is being made.
    """

    runner: Runner
    view: LiveView
    bell: Bell
    worker: Executor
    ended: threading.Event = field(default_factory=threading.Event)
    making: bool = False

    def __post_init__(self) -> None:
        self._state = RunState(self.runner, self.view)
        self._files = _read_static()

    async def page(self, request: Request) -> Response:
        """``/`` and the files that the page loads."""
        name = request.path_params.get("name", "index.html")
        if name not in self._files:
            return PlainTextResponse("no such file\n", 404)
        kind, data = self._files[name]
        # The files change only with the program, but then the page must not mix old and new ones.
        return Response(data, headers={"Content-Type": kind, "Cache-Control": "no-cache"})

    async def picture(self, request: Request) -> Response:
        """``/picture?after=N``: the newest frame, as soon as it has another number than N."""
        after = _whole_number(request.query_params.get("after", "0"))
        if after is None:
            return PlainTextResponse("after is the number of a picture, such as 12\n", 400)
        give_up_s = monotonic() + _PICTURE_WAIT_S
        shot = self.view.shot()
        while (shot is None or shot.number == after) and not self.bell.closed:
            left_s = give_up_s - monotonic()
            if left_s <= 0:
                break
            await self.bell.wait(left_s)
            shot = self.view.shot()
        if shot is None or shot.number == after:
            return Response(status_code=204)
        return _picture_response(shot)

    async def snapshot(self, request: Request) -> Response:
        """``/snapshot.jpg``: the newest frame, to be saved."""
        shot = self.view.shot()
        if shot is None:
            return PlainTextResponse("there is no picture yet\n", 404)
        return _picture_response(shot, f"hands-{shot.frame_index}.jpg")

    async def clip(self, request: Request) -> Response:
        """``/clip.gif?seconds=5``: the last seconds, to be saved."""
        seconds = _seconds(request.query_params.get("seconds", "5"))
        if seconds is None:
            return PlainTextResponse(f"seconds is a number up to {RING_S:g}\n", 400)
        shots = self.view.recent(seconds)
        if not shots:
            text = "nothing is kept yet: pictures are, while somebody watches; try again\n"
            return PlainTextResponse(text, 409, headers={"Retry-After": "5"})
        if self.making:
            text = "another clip is being made; try again\n"
            return PlainTextResponse(text, 503, headers={"Retry-After": "2"})
        headers = {"Content-Disposition": 'attachment; filename="hands.gif"'}
        if request.method == "HEAD":
            return Response(media_type="image/gif", headers=headers)
        self.making = True
        making = self.worker.submit(make_clip, shots, self.ended)
        # Not when the one who asked goes away: the worker is free only when it is done.
        making.add_done_callback(self._made)
        try:
            data = await asyncio.wrap_future(making)
        except AtlasHpeError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return Response(data, media_type="image/gif", headers=headers)

    async def events(self, request: Request) -> Response:
        """``/events``: frames and figures as they come."""
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        runner = self.runner
        events = stream_events(self.view, self._state, lambda: runner.state, self.bell)
        return StreamingResponse(events, media_type="text/event-stream")

    async def state(self, request: Request) -> Response:
        """``/state``: the run now."""
        return self._answer_state(200)

    async def start(self, request: Request) -> Response:
        """``POST /start``."""
        self.runner.start()
        return self._answer_state(202)

    async def stop(self, request: Request) -> Response:
        """``POST /stop``."""
        self.runner.stop()
        return self._answer_state(202)

    def _answer_state(self, status: int) -> Response:
        return Response(self._state.as_json(), status, media_type="application/json")

    def _made(self, making: object) -> None:
        self.making = False


def make_app(site: Site) -> Starlette:
    """The server as an ASGI application, without the ``Guard`` that belongs in front of it."""
    return Starlette(
        routes=[
            Route("/", site.page),
            Route("/static/{name}", site.page),
            Route("/picture", site.picture),
            Route("/snapshot.jpg", site.snapshot),
            Route("/clip.gif", site.clip),
            Route("/events", site.events),
            Route("/state", site.state),
            Route("/start", site.start, methods=["POST"]),
            Route("/stop", site.stop, methods=["POST"]),
        ]
    )


def _read_static() -> Dict[str, Tuple[str, bytes]]:
    """Name -> type and bytes of every file of the page; a request never names a path."""
    return {
        path.name: (_TYPES[path.suffix], path.read_bytes())
        for path in _STATIC.iterdir()
        if path.suffix in _TYPES
    }


def _picture_response(shot: Shot, name: Optional[str] = None) -> Response:
    headers = {
        "X-Picture-Number": str(shot.number),
        "X-Frame-Index": str(shot.frame_index),
        "X-Frame-Time-S": f"{shot.time_s:.6f}",
    }
    if name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(shot.jpeg, media_type="image/jpeg", headers=headers)


def _whole_number(text: str) -> Optional[int]:
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _seconds(text: str) -> Optional[float]:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds <= RING_S else None
