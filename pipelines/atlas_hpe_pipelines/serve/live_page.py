"""A run that is watched in a browser: runner, view and server put together."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Callable, Optional, Type
from urllib.parse import quote

from atlas_hpe.errors import MissingExtraError, UsageError
from atlas_hpe_pipelines.serve.bell import Bell
from atlas_hpe_pipelines.serve.live_view import LiveView
from atlas_hpe_pipelines.serve.runner import MakePipeline, Playable, Runner
from atlas_hpe_pipelines.serve.web_server import WebServer, is_loopback, listen, url_of

__all__ = ["DEFAULT_PORT", "LivePage", "check_web_extra"]

DEFAULT_PORT = 8040
_TOKEN_BYTES = 24
_LEAST_TOKEN_CHARS = 16


class LivePage:
    """A web page that shows a pipeline.

    Use it as a context manager; the port is open from the beginning, frames come with ``start``.

    Args:
        make_pipeline: Opens the pipeline with the sinks it is given; called for each round.
        host: Address or name to listen at.
        port: 0 for any that is free.
        token: What a request has to show. None: none for a host that only this machine reaches, a
            random one for others.
        once: Play a recorded source once instead of again and again.
        tell: Called with the text of an error that ended the run.

    Attributes:
        url: What to open, with the token if it was made here.
        runner: Starts and stops the run.
        view: The sink of the run.

    Raises:
        MissingExtraError: The extra ``web`` is not installed.
        UsageError: The port can't be opened, or the token is too short.
    """

    def __init__(
        self,
        make_pipeline: MakePipeline,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        token: Optional[str] = None,
        once: bool = False,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        check_web_extra()
        from atlas_hpe_pipelines.serve.app import Site, make_app
        from atlas_hpe_pipelines.serve.guard import Guard

        _check_token(token)
        bell = Bell()
        self.view = LiveView(heard=bell.ring)
        self.runner = Runner(make_pipeline, self.view, once=once, changed=bell.ring, tell=tell)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="atlas-hpe-clip")
        site = Site(self.runner, self.view, bell, self._worker)
        self._ended: threading.Event = site.ended
        opened = listen(host, port)
        self.url = url_of(opened)
        if token is None and not is_loopback(opened):
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            self.url += f"/?token={quote(token)}"
        guard = Guard(make_app(site), token=token, port=opened.getsockname()[1])
        self._server = WebServer(guard, opened, bell)

    def start(self, first: Optional[Playable] = None) -> None:
        """Serve the page and play; ``first`` is a pipeline into ``view`` that is open already."""
        self._server.start()
        self.runner.start(first)

    def close(self) -> None:
        """Stop the run and the server, and wait until nothing of them is left."""
        self._ended.set()
        self._server.close()
        self.runner.close()
        self._worker.shutdown()

    def __enter__(self) -> LivePage:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


def check_web_extra() -> None:
    """Tell before any work whether the libraries of the server are there.

    Raises:
        MissingExtraError: One of them is not.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError.for_module(str(error.name), "web", "the live page") from error


def _check_token(token: Optional[str]) -> None:
    if token is None:
        return
    if len(token) < _LEAST_TOKEN_CHARS or not _is_plain(token):
        raise UsageError(
            "the token is not safe",
            why=f"it has {len(token)} characters, fewer than {_LEAST_TOKEN_CHARS}, or some that "
            "are no visible ASCII",
            fix="leave --token out, and one is made; or take longer random letters and digits",
        )


def _is_plain(token: str) -> bool:
    return all("!" <= letter <= "~" for letter in token)
