"""docs/convert.md and docs/setup.md say what the commands do: their output, tables and links."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from atlas_hpe.cli.convert import command
from atlas_hpe.targets import RELEASES, find_release
from atlas_hpe_export.convert.faults.table import CODES
from atlas_hpe_export.convert.request.extra import TYPED_OPTIONS

REPO = Path(__file__).resolve().parent.parent
DOCS = REPO / "docs"
CONVERT = (DOCS / "convert.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", CONVERT, re.MULTILINE | re.DOTALL)


def rows_of(section: str) -> List[List[str]]:
    """The cells of the table in a section, without its heading."""
    text = CONVERT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows[2:]]


@pytest.mark.parametrize(("line", "output"), BLOCKS, ids=[line for line, _ in BLOCKS])
def test_a_command_prints_what_is_shown(line: str, output: str, tmp_path: Path) -> None:
    shutil.copy(str(REPO / "atlas_hpe" / "models" / "hand_landmark.onnx"), tmp_path / "hand.onnx")
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    failure = re.findall(r"^  atc \| (E.*)$", output, re.MULTILINE)
    if failure:
        environment.update(standin_toolkit(tmp_path, failure[0]))
    program, *arguments = shlex.split(line)
    assert program == "atlas-hpe"
    done = subprocess.run(
        [sys.executable, "-c", "from atlas_hpe.cli import main; main()", *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert without_figures(done.stdout) == without_figures(output)


def without_figures(text: str) -> str:
    """Sizes and our version change with every release."""
    return re.sub(r"\d+\.\d+ MiB|atlas-hpe \d+\.\d+\.\d+", "N", text)


def standin_toolkit(folder: Path, failure: str) -> Dict[str, str]:
    """Environment in which a stand-in for atc of CANN 5.1.RC2 fails with a line."""
    home = folder / "Ascend" / "ascend-toolkit" / "5.1.RC2"
    (home / "bin").mkdir(parents=True)
    (home / "ascend_toolkit_install.info").write_text("version=5.1.RC2\n")
    atc = home / "bin" / "atc"
    standin = REPO / "tests" / "standin_atc.py"
    atc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{standin}" "$@"\n')
    atc.chmod(0o755)
    return {"STANDIN_ATC_PRINT": failure}


def test_every_option_is_in_the_table_with_its_flag() -> None:
    known = {
        name
        for parameter in command.params
        for name in parameter.opts
        if name.startswith("--") and name != "--help"
    }
    shown: Dict[str, str] = {}
    for names, flags, _ in rows_of("Options"):
        for name in re.findall(r"`(--[a-z-]+)", names):
            shown[name] = flags
    assert set(shown) == known
    for flag, option in TYPED_OPTIONS.items():
        if option.startswith("--") and option != "--input":
            assert f"`{flag}`" in shown[option], option


def test_codes_of_the_table_are_decoded() -> None:
    codes = [code for row in rows_of("When atc fails") for code in row[0].split(", ")]
    assert len(codes) > 10
    assert set(codes) <= set(CODES)


def test_opsets_are_those_of_the_catalogue() -> None:
    for names, opsets, _ in rows_of("Releases of CANN"):
        for name in names.split(", "):
            release = find_release(name)
            assert release is not None, name
            assert opset_words(release.opsets) == opsets, name
    stated = {name for name, release in RELEASES.items() if release.opsets}
    shown = {name for row in rows_of("Releases of CANN") for name in row[0].split(", ")}
    boards = {name for name in stated if name >= "5.0.4" and name != "2026"}
    assert boards <= shown


def opset_words(opsets: Tuple[int, int] | None) -> str:
    if opsets is None:
        return "not stated"
    first, last = opsets
    return str(first) if first == last else f"{first} to {last}"


@pytest.mark.parametrize(
    "path",
    [*sorted(DOCS.glob("*.md")), REPO / "docker" / "README.md", REPO / "README.md"],
    ids=lambda path: path.name,
)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_setup_names_the_files_of_docker() -> None:
    text = (DOCS / "setup.md").read_text(encoding="utf-8")
    named = set(re.findall(r"docker/[\w.-]+", text))
    assert len(named) > 4
    for name in named:
        assert (REPO / name).exists(), name
