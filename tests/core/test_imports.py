"""Imports stay light, and every ``--help`` works with nothing but the base install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from atlas_hpe.cli import COMMANDS

HEAVY = ("cv2", "torch", "onnx", "onnxruntime", "onnxsim", "onnxscript", "PIL", "imageio", "acl")

# Any attempt to load a heavy library fails as it does where it is not installed.
BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Blocker())
"""


def run_python(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=str(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "module",
    [
        "atlas_hpe",
        "atlas_hpe.card",
        "atlas_hpe.cli",
        "atlas_hpe.nets",
        "atlas_hpe_export",
        "atlas_hpe_pipelines",
        "atlas_hpe_runtime",
    ],
)
def test_importing_a_package_loads_no_heavy_library(module: str, tmp_path: Path) -> None:
    code = f"import sys, {module}; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = run_python(code, folder=tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("verb", ["", *COMMANDS])
def test_help_needs_no_heavy_library(verb: str, tmp_path: Path) -> None:
    code = BLOCKER + "from atlas_hpe.cli import main\nmain()"
    done = run_python(code, *filter(None, [verb, "--help"]), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("Usage:")
    assert list(tmp_path.iterdir()) == []


def test_the_blocker_blocks(tmp_path: Path) -> None:
    done = run_python(BLOCKER + "import cv2", folder=tmp_path)
    assert "ModuleNotFoundError: No module named 'cv2'" in done.stderr


def test_the_version_is_that_of_the_distribution(tmp_path: Path) -> None:
    from atlas_hpe.version import __version__

    done = run_python("from atlas_hpe.cli import main; main()", "--version", folder=tmp_path)
    assert done.stdout == f"atlas-hpe, version {__version__}\n"


def test_a_mistyped_command_is_a_usage_error(tmp_path: Path) -> None:
    done = run_python("from atlas_hpe.cli import main; main()", "rnu", folder=tmp_path)
    assert done.returncode == 2
    assert "No such command 'rnu'" in done.stderr
    assert done.stdout == ""
