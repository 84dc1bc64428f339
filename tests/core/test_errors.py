"""The error tree: one base, the exit codes of the command line, and what a message looks like."""

from __future__ import annotations

from typing import Iterator, Type

import pytest

from atlas_hpe import errors
from atlas_hpe.errors import AtlasHpeError, MissingExtraError


def tree(base: Type[AtlasHpeError]) -> Iterator[Type[AtlasHpeError]]:
    yield base
    for child in base.__subclasses__():
        yield from tree(child)


def test_a_message_has_a_line_per_part() -> None:
    error = AtlasHpeError("it broke", where="hand.onnx", why="it fell", fix="pick it up")
    assert str(error) == "it broke\n  where: hand.onnx\n  why: it fell\n  fix: pick it up"


@pytest.mark.parametrize("part", ["where", "why", "fix"])
def test_parts_that_are_not_known_leave_no_line(part: str) -> None:
    assert str(AtlasHpeError("it broke", **{part: "x"})) == f"it broke\n  {part}: x"
    assert str(AtlasHpeError("it broke")) == "it broke"


def test_an_error_keeps_its_parts_for_programs() -> None:
    error = AtlasHpeError("it broke", where=3, why="x")
    assert (error.what, error.where, error.why, error.fix) == ("it broke", "3", "x", None)


def test_all_errors_of_the_module_are_in_one_tree() -> None:
    names = {cls.__name__ for cls in tree(AtlasHpeError) if cls.__module__ == errors.__name__}
    assert names == set(errors.__all__)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("AtlasHpeError", 2),
        ("CardError", 2),
        ("CheckFailedError", 1),
        ("CheckpointError", 2),
        ("DeviceError", 4),
        ("InputError", 2),
        ("MissingExtraError", 3),
        ("ModelFileError", 2),
        ("OutputError", 2),
        ("SessionError", 4),
        ("SourceError", 2),
        ("UsageError", 2),
    ],
)
def test_each_error_has_its_exit_code(name: str, code: int) -> None:
    assert getattr(errors, name).exit_code == code


def test_a_missing_extra_names_the_package_and_the_command_that_brings_it() -> None:
    error = MissingExtraError.for_module("onnxruntime", "host", "running an ONNX model")
    assert str(error) == (
        "running an ONNX model needs the Python package 'onnxruntime', which is not installed\n"
        "  fix: pip install 'atlas-hpe[host]'"
    )
