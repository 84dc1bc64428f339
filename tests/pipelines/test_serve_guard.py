"""Who may talk to the live page."""

from __future__ import annotations

import socket
from typing import Dict, Tuple

import pytest
from live_pages import Client, DrawnPipeline, served

from atlas_hpe.errors import UsageError
from atlas_hpe_pipelines.serve import LivePage
from atlas_hpe_pipelines.serve.web_server import is_loopback, listen, url_of

TOKEN = "a-token-of-some-length"


def bearer(token: str) -> Dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8040", "[::1]:8040"])
def test_names_of_this_machine_are_answered(host: str) -> None:
    with served() as (_, client):
        assert client.ask("/state", headers={"Host": host})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.168.0.7:8040", "", "[::1", "[x]:1"]
)
def test_a_foreign_name_is_refused_on_loopback(host: str) -> None:
    with served() as (_, client):
        for path in ("/", "/state", "/picture", "/events", "/static/page.js"):
            status, headers, body = client.ask(path, headers={"Host": host})
            assert status == 403, path
            assert b"drawn" not in body
            assert headers["x-content-type-options"] == "nosniff"
        assert client.ask("/stop", "POST", {"Host": host})[0] == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "http://[", "file://"]
)
def test_a_page_of_another_site_can_not_press_the_buttons(origin: str) -> None:
    with served() as (page, client):
        headers = {"Host": f"localhost:{client.port}", "Origin": origin}
        assert client.ask("/stop", "POST", headers)[0] == 403
        assert page.runner.state in ("starting", "running")


@pytest.mark.parametrize("scheme", ["http", "https"])  # https: behind a proxy
def test_the_page_itself_can(scheme: str) -> None:
    with served() as (_, client):
        host = f"localhost:{client.port}"
        headers = {"Host": host, "Origin": f"{scheme}://{host}"}
        assert client.ask("/stop", "POST", headers)[0] == 202


@pytest.mark.parametrize("length", ["2000", "-1", "x"])
def test_a_large_body_is_refused_before_it_is_read(length: str) -> None:
    with served() as (_, client), socket.create_connection((client.host, client.port)) as raw:
        raw.settimeout(20)
        head = f"POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        raw.sendall(head.encode("ascii"))
        status = raw.recv(4096).split(b"\r\n")[0]
        assert b" 413 " in status or b" 400 " in status
        assert client.state()["state"] != "stopped"


def sign_in(client: Client) -> Tuple[str, str]:
    """The cookie, and where the answer leads."""
    status, headers, _ = client.ask(f"/?token={TOKEN}")
    assert status == 303
    return headers["set-cookie"], headers["location"]


def test_without_the_token_nothing_is_told() -> None:
    with served(token=TOKEN) as (page, client):
        for path in ("/", "/state", "/picture", "/events", "/snapshot.jpg", "/static/page.js"):
            status, headers, body = client.ask(path)
            assert status == 401, path
            assert headers["www-authenticate"] == "Bearer"
            assert b"drawn" not in body
        assert client.ask("/stop", "POST")[0] == 401
        assert page.runner.state != "stopped"


def test_the_token_moves_from_the_address_into_a_cookie() -> None:
    with served(token=TOKEN) as (_, client):
        cookie, place = sign_in(client)
        assert place == "./"
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert TOKEN not in cookie
        cookie = cookie.split(";")[0]
        assert str(client.port) in cookie  # two servers of one machine have two cookies
        assert client.ask("/", headers={"Cookie": cookie})[0] == 200
        assert client.ask("/stop", "POST", {"Cookie": cookie})[0] == 202
        assert client.ask("/state", headers={"Cookie": cookie[:-1]})[0] == 401


def test_a_program_shows_the_token_as_bearer() -> None:
    with served(token=TOKEN) as (_, client):
        assert client.ask("/state", headers=bearer(TOKEN))[0] == 200
        assert client.ask("/state", headers={"Authorization": f"bearer  {TOKEN}"})[0] == 200


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\xe9" * 22])
def test_a_wrong_token_is_refused(token: str) -> None:
    from urllib.parse import quote

    with served(token=TOKEN) as (_, client):
        assert client.ask("/state", headers=bearer(token))[0] == 401
        status, headers, _ = client.ask(f"/?token={quote(token)}")
        assert status == 401
        assert "set-cookie" not in headers
        assert client.ask("/state", headers={"Authorization": f"Basic {TOKEN}"})[0] == 401


def test_the_token_in_an_address_opens_the_page_only() -> None:
    """So that no address with a token stands in a history or a log but the one that was printed."""
    with served(token=TOKEN) as (_, client):
        assert client.ask(f"/state?token={TOKEN}")[0] == 401
        assert client.ask(f"//evil.example/?token={TOKEN}")[0] in (401, 404)


def test_with_a_token_any_name_is_answered() -> None:
    with served(token=TOKEN) as (_, client):
        headers = {"Host": "board.local:8040", **bearer(TOKEN)}
        assert client.ask("/state", headers=headers)[0] == 200


def test_a_host_that_others_reach_gets_a_token_of_its_own() -> None:
    with served(host="0.0.0.0") as (page, _):
        place, _, token = page.url.partition("/?token=")
        assert len(token) >= 32
        assert "0.0.0.0" not in place
        client = Client(f"http://127.0.0.1:{place.rpartition(':')[2]}")
        assert client.ask("/state")[0] == 401
        assert client.ask("/state", headers=bearer(token))[0] == 200
    with served(host="0.0.0.0") as (page, _):
        assert token not in page.url


def test_a_token_that_was_given_is_not_printed() -> None:
    with served(host="0.0.0.0", token=TOKEN) as (page, _):
        assert "token" not in page.url


@pytest.mark.parametrize("token", ["", "short", "with a space in between", "f\xfcnfzehn" * 4])
def test_a_poor_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="not safe") as caught:
        LivePage(DrawnPipeline, port=0, token=token)
    assert not token or token not in str(caught.value)


def test_the_token_is_not_logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    with served(token=TOKEN) as (_, client):
        sign_in(client)
        client.ask("/state", headers=bearer(TOKEN))
        client.ask(f"/?token={TOKEN}x")
    told = capfd.readouterr()
    assert TOKEN not in told.out + told.err + caplog.text


@pytest.mark.parametrize(
    ("host", "only_here"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_what_counts_as_loopback_is_the_address_and_not_the_name(
    host: str, only_here: bool
) -> None:
    with listen(host, 0) as opened:
        assert is_loopback(opened) is only_here
        assert url_of(opened).endswith(f":{opened.getsockname()[1]}")


def test_an_ipv6_address_stands_in_brackets() -> None:
    try:
        opened = listen("::1", 0)
    except UsageError:
        pytest.xfail("this machine has no IPv6")
    with opened:
        assert is_loopback(opened)
        assert url_of(opened) == f"http://[::1]:{opened.getsockname()[1]}"
