"""No address in a message lets anybody in."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe_pipelines.sources.live import hide_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p@h/x?token=abc", "rtsp://***@h/x?token=***"),
        ("rtsp://u@h:554/x", "rtsp://***@h:554/x"),
        ("http://h/x.mp4", "http://h/x.mp4"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("rtsp://h/live?channel=1&subtype=0", "rtsp://h/live?channel=1&subtype=0"),
        ("http://h/x?pin=12&user=eva&n=123", "http://h/x?pin=***&user=***&n=***"),
        ("http://h/x?abcdef", "http://h/x?***"),
        ("http://h/x?a=1&abcdef&b=2", "http://h/x?a=1&***&b=2"),
        ("http://h/x?a=b=c", "http://h/x?a=***"),
        ("http://h/x#key=abc", "http://h/x#key=***"),
        ("HTTP://h?Access_Token=abc", "HTTP://h?Access_Token=***"),
        ("rtsp://h/user=admin_password=tlJw_channel=1", "rtsp://h/user=***"),
        ("rtsp://h/user=a/password=b/c?d=1", "rtsp://h/user=***?d=1"),
        ("http://h/x?token=a/b#c", "http://h/x?token=***#***"),
        ("rtsp://u:p/w@h/x", "rtsp://***"),
        ("http://h/x?token=a@b", "http://***"),
        ("lost rtsp://u:p@h/x, again http://v:q@i/y", "lost rtsp://***@h/x, again http://***@i/y"),
        ("no address: a@b?token=1", "no address: a@b?token=1"),
        ("", ""),
    ],
)
def test_what_lets_somebody_in_is_hidden(text: str, shown: str) -> None:
    assert hide_credentials(text) == shown


_SIGNS = st.characters(min_codepoint=33, max_codepoint=0x17F, blacklist_categories=["Cc", "Zs"])
#: Long enough not to be part of the other parts by chance.
_SECRET = st.text(_SIGNS, min_size=1, max_size=12).map(lambda text: f"Q{text}Q9Z{text}Q")
_NAME = st.sampled_from(["token", "access_token", "key", "password", "PWD", "sig", "whatever"])


@given(_SECRET, _SECRET, st.booleans())
def test_no_password_is_shown_whatever_its_signs(user: str, password: str, escaped: bool) -> None:
    if escaped:
        user, password = quote(user, safe=""), quote(password, safe="")
    shown = hide_credentials(f"can't open rtsp://{user}:{password}@cam.local:554/live/1")
    assert password not in shown
    assert user not in shown
    assert shown.startswith("can't open rtsp://***")


@given(_NAME, _SECRET, st.booleans(), st.sampled_from(["", "u:p@"]))
def test_no_value_of_a_query_is_shown(name: str, secret: str, escaped: bool, user: str) -> None:
    value = quote(secret, safe="") if escaped else secret
    shown = hide_credentials(f"http://{user}cam.local/live?channel=1&{name}={value}")
    assert value not in shown
    assert "Q9Z" not in shown


@given(_SECRET)
def test_hiding_twice_changes_nothing(secret: str) -> None:
    shown = hide_credentials(f"rtsp://u:{secret}@h/x?token={secret}&a=1")
    assert hide_credentials(shown) == shown
