"""Puts the stand-ins for atc and docker where the package looks for the real ones."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Dict, List, Sequence

_HERE = Path(__file__).resolve().parent


def install_atc(folder: Path) -> Path:
    """``folder/atc``, to put the folder on PATH."""
    return _install(folder / "atc", "standin_atc.py")


def install_docker(folder: Path, images: Sequence[str] = ("cann:5.1",)) -> Dict[str, str]:
    """``folder/docker`` with the stand-in atc inside its containers.

    Returns:
        The environment variables that it needs; the folder is still to be put on PATH.
    """
    state = folder / "docker-state"
    state.mkdir(parents=True)
    _install(folder / "docker", "standin_docker.py")
    install_atc(folder / "docker-inside")
    return {
        "STANDIN_DOCKER_IMAGES": " ".join(images),
        "STANDIN_DOCKER_PROGRAMS": str(folder / "docker-inside"),
        "STANDIN_DOCKER_STATE": str(state),
    }


def docker_runs(folder: Path) -> List[List[str]]:
    """The arguments of every call of the docker of ``install_docker``."""
    lines = (folder / "docker-state" / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _install(program: Path, script: str) -> Path:
    program.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, str(_HERE / script)]
    program.write_text(f'#!/bin/sh\nexec {" ".join(map(shlex.quote, words))} "$@"\n')
    program.chmod(0o755)
    return program
