"""Floors of libraries that open files of others: one table, and pyproject.toml agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from atlas_hpe.floors import VERSION_FLOORS, is_too_old, least_version

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


@pytest.mark.parametrize("library", sorted(VERSION_FLOORS))
def test_the_extras_ask_for_the_floor(library: str) -> None:
    text = PYPROJECT.read_text(encoding="utf-8")
    found = re.findall(rf'"{library}>=([\d.]+)', text)
    assert found
    assert set(found) == {least_version(library)}


@pytest.mark.parametrize(
    ("version", "too_old"),
    [
        ("2.9.1", True),
        ("2.9.1+cu118", True),
        ("1.13.1", True),
        ("unknown version", True),
        ("2.10.0", False),
        ("2.10.0+cpu", False),
        ("2.10.0a0", False),
        ("3.0", False),
    ],
)
def test_versions_are_held_against_the_floor(version: str, too_old: bool) -> None:
    assert is_too_old("torch", version) is too_old


def test_a_library_without_a_floor_is_never_too_old() -> None:
    assert not is_too_old("numpy", "0.1")
