"""How commands speak: text for people on stderr, data for programs on stdout."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Callable, TypeVar, Union

import click

__all__ = ["emit_json", "json_option", "say", "say_next"]

F = TypeVar("F", bound=Callable[..., object])


def json_option(function: F) -> F:
    """Add ``--json`` to a command that prints a report."""
    option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
    return option(function)


def say(text: str = "") -> None:
    """A line for the person at the terminal."""
    click.echo(text, err=True)


def say_next(*command: Union[str, Path]) -> None:
    """Show the next command to type."""
    say("next: " + " ".join(shlex.quote(_as_argument(word)) for word in command))


def _as_argument(word: Union[str, Path]) -> str:
    """A file whose name begins with a dash would be taken for an option."""
    return f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word)


def emit_json(report: object) -> None:
    """A report for a program, on stdout."""
    click.echo(json.dumps(report, indent=2, sort_keys=True, allow_nan=False))
