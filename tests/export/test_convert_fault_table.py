from __future__ import annotations

import importlib
import shlex

import click
import pytest

from atlas_hpe.cli import COMMANDS
from atlas_hpe_export.convert.faults.table import CODES, CONTINUED, MESSAGES
from atlas_hpe_export.node_names import OPERATORS


def _commands() -> list[str]:
    advice = [*CODES.values(), *(item[-1] for item in MESSAGES), *(item[-1] for item in CONTINUED)]
    return sorted({item.command for item in advice if item.command is not None})


@pytest.mark.parametrize("template", _commands())
def test_every_command_exists(template: str) -> None:
    words = shlex.split(template.format(model="hand.onnx", fixed="fixed.onnx"))
    if words[0] != "atlas-hpe":
        assert words[0] == "docker"
        return
    verb, arguments = words[1], words[2:]
    assert verb in COMMANDS
    command = importlib.import_module(f"atlas_hpe.cli.{verb}").command
    try:
        command.make_context(verb, list(arguments))
    except click.exceptions.Exit:
        assert arguments == ["--help"]


def test_every_option_in_a_fix_exists() -> None:
    command = importlib.import_module("atlas_hpe.cli.convert").command
    options = {name for parameter in command.params for name in parameter.opts}
    atc_flags = {"--input_shape", "--log", "--input_fp16_nodes", "--framework"}
    atc_flags |= {"--keep_dtype", "--compress_weight_conf"}
    advice = [*CODES.values(), *(item[-1] for item in MESSAGES), *(item[-1] for item in CONTINUED)]
    words = " ".join(f"{item.fix} {item.cause}" for item in advice).replace(",", " ").split()
    assert {word.rstrip(".;:") for word in words if word.startswith("--") and word != "--"} <= (
        options | atc_flags
    )


def test_the_names_of_operators_are_those_of_onnx() -> None:
    defs = pytest.importorskip("onnx.defs")
    assert {schema.name for schema in defs.get_all_schemas()} <= OPERATORS
