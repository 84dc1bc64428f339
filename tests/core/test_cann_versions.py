"""The order of CANN's versions, and what is one."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_hpe.cann import CannVersion, compare_cann, parse_cann

ORDERED = [
    "20.0.0",
    "20.1",
    "3.2.0",
    "3.3.0.alpha001",
    "3.3.0",
    "5.0.4.alpha002",
    "5.0.4.alpha010",
    "5.0.4.beta1",
    "5.0.4",
    "5.0.4.6",
    "5.1.RC1.alpha005",
    "5.1.RC1",
    "5.1.RC1.1",
    "5.1.RC2.alpha001",
    "5.1.RC2",
    "5.1.RC10",
    "5.1.0",
    "6.0.RC1.alpha005",
    "6.0.RC1",
    "6.0.0.alpha001",
    "6.0.0.alpha003",
    "6.0.0",
    "6.0.1",
    "8.5.0",
    "10.0.RC1",
]
NUMBERS = st.lists(st.integers(0, 12), min_size=2, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)
VERSIONS = st.tuples(
    NUMBERS,
    st.sampled_from(["", ".RC1", ".RC2", ".RC1.1"]),
    st.sampled_from(["", ".alpha001", ".alpha2", ".beta1"]),
).map("".join)


@pytest.mark.parametrize(("older", "newer"), list(itertools.combinations(ORDERED, 2)))
def test_releases_have_the_order_in_which_they_came(older: str, newer: str) -> None:
    assert compare_cann(older, newer) == -1
    assert compare_cann(newer, older) == 1


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_total(first: str, second: str, third: str) -> None:
    forward, back = compare_cann(first, second), compare_cann(second, first)
    assert forward is not None
    assert back == -forward
    assert compare_cann(first, first) == 0
    if forward <= 0 and (compare_cann(second, third) or 0) <= 0:
        assert (compare_cann(first, third) or 0) <= 0
    assert (forward == 0) == (parse_cann(first) == parse_cann(second))


@given(VERSIONS)
def test_a_build_is_not_newer_than_its_release(text: str) -> None:
    version = parse_cann(text)
    assert version is not None
    assert version <= version.release == version.release.release
    assert parse_cann(f" {text.lower()}\n") == version


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("6.0", "6.0.0.0"),
        ("20.1", "3.1.0"),
        ("20.2", "3.2"),
        ("5.1.rc2.ALPHA1", "5.1.RC2.alpha001"),
    ],
)
def test_two_ways_to_write_one_version(one: str, other: str) -> None:
    assert compare_cann(one, other) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5.1.",
        ".5.1",
        "5.1.RC",
        "5.1.gamma1",
        "V100R001",
        "5.1.2.3.4",
        "5.٣",
        "9999.1",
        "5.1.RC1x",
    ],
)
def test_what_is_no_version(text: str) -> None:
    assert parse_cann(text) is None
    assert compare_cann(text, "5.1.0") is None
    assert compare_cann("5.1.0", text) is None


@given(st.text(max_size=30) | st.text(alphabet="0123456789.RCalphbet\n²", max_size=30))
def test_any_text_is_a_version_or_none(text: str) -> None:
    version = parse_cann(text)
    assert version is None or isinstance(version, CannVersion)
