"""A stop that comes while a library loads: the library must not turn it into something else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_MODULE = """
import os, signal, time
import click
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
except KeyboardInterrupt:
    {reaction}

@click.command()
def command():
    time.sleep(20)
    print("went on")
"""

_PROGRAM = """
import sys
import atlas_hpe.cli as cli
cli.__path__.append(sys.argv.pop(1))
cli.COMMANDS["slow"] = "loads slowly"
cli.main()
"""


def _run(folder: Path, reaction: str) -> subprocess.CompletedProcess[str]:
    (folder / "slow.py").write_text(_MODULE.format(reaction=reaction))
    words = [sys.executable, "-c", _PROGRAM, str(folder), "slow"]
    return subprocess.run(words, capture_output=True, text=True, timeout=15)


def test_a_library_that_calls_it_a_failure_of_its_own_is_not_believed(tmp_path: Path) -> None:
    done = _run(tmp_path, 'raise ImportError("failed to import")')
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert "Traceback" not in done.stderr


def test_a_library_that_swallows_it_does_not_keep_the_program_running(tmp_path: Path) -> None:
    done = _run(tmp_path, "pass")
    assert (done.returncode, done.stdout) == (130, ""), done.stderr


_ENDING = """
import atexit, os, signal
import click

@click.command()
def command():
    atexit.register(os.kill, os.getpid(), signal.{number})
    print("done")
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_stop_while_python_shuts_down_does_not_undo_what_was_done(
    tmp_path: Path, number: str
) -> None:
    (tmp_path / "slow.py").write_text(_ENDING.format(number=number))
    words = [sys.executable, "-c", _PROGRAM, str(tmp_path), "slow"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=15)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
