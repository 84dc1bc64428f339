"""Lines from files of others on a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.text import printable


def test_control_characters_are_shown_and_not_sent() -> None:
    assert printable("a\x1b[2Jb\n\u202ec") == "a\\x1b[2Jb\\n\\u202ec"


def test_plain_text_of_any_language_stays() -> None:
    assert printable("Hände 手 512x512") == "Hände 手 512x512"


@given(st.text(max_size=40), st.integers(0, 20))
def test_a_line_is_printable_and_has_an_end(line: str, most: int) -> None:
    shown = printable(line, most)
    assert shown.isprintable()
    assert len(shown) <= 10 * most + 3
