"""uvicorn in a thread of its own: it leaves signals alone, and ends when it is told to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Dict, Mapping, Optional, Set, Tuple, cast

from atlas_hpe.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from atlas_hpe_pipelines.serve.bell import Bell

__all__ = ["WebServer", "is_loopback", "listen", "url_of"]

#: More connections at once are answered with 503. A browser has two for each page that it shows.
_MOST_CONNECTIONS = 100
_MOST_WAITING = 64
#: What a viewer is behind lies in buffers; small ones keep it from seeing what is long over.
_SEND_BUFFER_BYTES = 64 << 10
#: A connection on which no request is answered and none is whole after so long, or up to twice as
#: long, is closed: uvicorn waits for ever for a request, and each takes one of the connections.
_MOST_IDLE_S = 10.0
#: Answers under way get so long to end when the server closes.
_GRACE_S = 1.0
#: Reserved for documentation (RFC 5737); nothing is sent there.
_SOMEWHERE = ("192.0.2.1", 9)


def listen(host: str, port: int) -> socket.socket:
    """Open the port.

    Args:
        host: Address or name of this machine.
        port: 0 for any that is free.

    Raises:
        UsageError: The port is taken or not allowed, or the host is none of this machine.
    """
    where = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            "the host can't be found",
            where=where,
            why=str(error),
            fix="name an address of this machine with --host",
        ) from error
    family, kind, protocol, _, address = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        opened.bind(address)
        opened.listen(_MOST_WAITING)
    except OSError as error:
        opened.close()
        raise UsageError(
            "the port can't be opened",
            where=where,
            why=error.strerror or str(error),
            fix="name another with --port; 0 takes any that is free",
        ) from error
    return opened


def is_loopback(opened: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(opened.getsockname()[0].partition("%")[0]).is_loopback


def url_of(opened: socket.socket) -> str:
    """The address to type; one that stands for all of this machine is turned into one of them."""
    host, port = opened.getsockname()[:2]
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_unspecified:
        host = _own_address() or "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _own_address() -> Optional[str]:
    """The address that this machine has towards others; it asks its routing table only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
        except OSError:
            return None
        own: Tuple[str, int] = probe.getsockname()
    return own[0]


class WebServer:
    """Serves an application until it is closed.

    Args:
        app: The application.
        opened: A port, from ``listen``; closed with the server.
        bell: What answers under way wait for.
    """

    def __init__(self, app: ASGIApp, opened: socket.socket, bell: Bell) -> None:
        import uvicorn

        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,  # logging is the program's
            log_level="warning",  # an address may hold the token: below this it is logged
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            backlog=_MOST_WAITING,
        )
        self._server = uvicorn.Server(config)
        self._socket = opened
        self._bell = bell
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="atlas-hpe-web", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Close the port; answers under way get a second to end."""
        self._server.should_exit = True
        self._bell.close()
        if self._thread.ident is not None:
            self._thread.join(_GRACE_S)
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._drop_viewers)
            self._thread.join(_GRACE_S)
            self._server.force_exit = True
            self._thread.join()
        self._loop.close()
        self._socket.close()

    def _drop_viewers(self) -> None:
        """Those who do not read hold their answers open; cancelled ones would leave a traceback."""
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()

    def _work(self) -> None:
        self._loop.run_until_complete(self._serve())

    def _close_idle(self, before: Mapping[H11Protocol, object]) -> None:
        """Close the connections that are idle since the look before, then look again later."""
        idle: Dict[H11Protocol, object] = {}
        for connection in cast("Set[H11Protocol]", self._server.server_state.connections):
            cycle = connection.cycle  # the newest request, None before the first
            if cycle is None or cycle.response_complete:
                idle[connection] = cycle
                if connection in before and before[connection] is cycle:
                    connection.transport.close()
        self._loop.call_later(_MOST_IDLE_S, self._close_idle, idle)

    async def _serve(self) -> None:
        self._bell.bind(self._loop)
        self._close_idle({})
        await self._server.serve(sockets=[self._socket])
