"""Why a stream can't be opened: OpenCV only says that it can't, so the server is asked again."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
from typing import Dict, Tuple
from urllib.parse import SplitResult, unquote

from atlas_hpe.text import printable

__all__ = ["find_reason"]

_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
#: What a server that delivers a stream may call it; anything else is named in the message.
_NO_VIDEO = ("text/", "application/json", "application/xml")

Reason = Tuple[str, str]


def find_reason(url: SplitResult, limit_s: float) -> Reason:
    """Ask the server what it thinks of an address that OpenCV could not open.

    Args:
        url: The address.
        limit_s: Seconds that the server has for each answer.

    Returns:
        Why, and what to do about it. Neither holds a part of the address but host and port.
    """
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    try:
        if url.scheme == "rtsp":
            status, headers = _ask_rtsp(url, host, port, limit_s)
        elif url.scheme == "rtsps":
            socket.create_connection((host, port), limit_s).close()
            return "a server is there, but no picture comes from it", "check path and password"
        else:
            status, headers = _ask_http(url, host, port, limit_s)
    except socket.gaierror:
        return f"no address is known for the host {host}", "check its name, or the network"
    except ConnectionRefusedError:
        return f"nothing listens on port {port} of {host}", "check the port; start the server"
    except socket.timeout:
        return f"{host} does not answer within {limit_s:g} s", "check the address and the network"
    except ssl.SSLError as error:
        return f"no encrypted connection with {host}: {error.reason}", "check the port"
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        detail = getattr(error, "strerror", None) or type(error).__name__
        return f"{host} port {port}: {detail}", "check the address and the network"
    return _judge(status, headers, has_password=url.username is not None)


def _judge(status: int, headers: Dict[str, str], has_password: bool) -> Reason:
    if status in (401, 403) and has_password:
        # Basic is tried above; of a server that wants Digest nobody knows which of them it is.
        return f"the server refuses user, password or path ({status})", "check all three"
    if status in (401, 403):
        return f"the server asks for a password ({status})", "write it as ://user:password@host/..."
    if status == 404:
        return "the server has nothing under this path (404)", "check the path"
    if status == 0 or status >= 300:
        return f"the server answers {status or 'in no form that is known'}", "check the address"
    kind = printable(headers.get("content-type", ""), 60)
    if kind.startswith(_NO_VIDEO):
        return (
            f"the server sends {kind}, which is no video",
            "give the stream's own address",
        )
    return (
        "a server is there, but sends nothing that can be decoded",
        "look whether another program plays it",
    )


def _ask_http(url: SplitResult, host: str, port: int, limit_s: float) -> Tuple[int, Dict[str, str]]:
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=limit_s)
    try:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("GET", path, headers=_basic(url))
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}
    finally:
        connection.close()


def _ask_rtsp(url: SplitResult, host: str, port: int, limit_s: float) -> Tuple[int, Dict[str, str]]:
    """The status of DESCRIBE (RFC 2326, section 10.2)."""
    address = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
    lines = [f"DESCRIBE {address} RTSP/1.0", "CSeq: 1", "Accept: application/sdp"]
    lines += [f"{name}: {value}" for name, value in _basic(url).items()]
    with socket.create_connection((host, port), limit_s) as peer:
        peer.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        words = peer.makefile("rb").readline(200).decode("latin-1").split()
    is_answer = len(words) >= 2 and words[0].startswith("RTSP/") and words[1].isdigit()
    return int(words[1]) if is_answer else 0, {}


def _basic(url: SplitResult) -> Dict[str, str]:
    """HTTP Basic authentication (RFC 7617), where the address has a user."""
    if url.username is None:
        return {}
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
