"""Reads Dockerfiles and .dockerignore files as far as the tests need it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

__all__ = [
    "Dockerfile",
    "Instruction",
    "Stage",
    "copy_sources",
    "exec_form",
    "is_ignored",
    "read_dockerfile",
    "shell_lines",
]

#: Those of the Dockerfile reference that are not deprecated.
INSTRUCTIONS = re.compile(
    "ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|ONBUILD|RUN|SHELL|STOPSIGNAL"
    "|USER|VOLUME|WORKDIR"
)


class Instruction(NamedTuple):
    """One instruction, its continuation lines joined."""

    line: int
    name: str
    rest: str


@dataclass(frozen=True)
class Stage:
    """What one FROM begins."""

    base: str
    name: str
    instructions: Tuple[Instruction, ...]

    def last(self, name: str) -> str:
        """The rest of the last instruction of that name, empty when there is none."""
        found = [item.rest for item in self.instructions if item.name == name]
        return found[-1] if found else ""


@dataclass(frozen=True)
class Dockerfile:
    """A whole file."""

    path: Path
    arguments: Dict[str, str]
    stages: Tuple[Stage, ...]

    @property
    def targets(self) -> Tuple[Stage, ...]:
        """The stages that no other is made from: what a user builds."""
        text = self.path.read_text(encoding="utf-8")
        used = set(re.findall(r"--from=(\S+)", text)) | {stage.base for stage in self.stages}
        return tuple(stage for stage in self.stages if stage.name not in used)


def read_dockerfile(path: Path) -> Dockerfile:
    """Read a file; ValueError for what is no Dockerfile."""
    arguments: Dict[str, str] = {}
    stages: List[Stage] = []
    for item in _instructions(path):
        if not INSTRUCTIONS.fullmatch(item.name):
            raise ValueError(f"{path.name}:{item.line}: there is no instruction {item.name}")
        if item.name == "FROM":
            base, _, name = item.rest.partition(" AS ")
            stages.append(Stage(_expand(base, arguments), name, ()))
        elif stages:
            last = stages.pop()
            stages.append(Stage(last.base, last.name, (*last.instructions, item)))
        elif item.name != "ARG":
            raise ValueError(f"{path.name}:{item.line}: {item.name} before the first FROM")
        if item.name == "ARG":
            name, _, value = item.rest.partition("=")
            arguments[name] = _expand(value.strip('"'), arguments)
    return Dockerfile(path, arguments, tuple(stages))


def _instructions(path: Path) -> List[Instruction]:
    found: List[Instruction] = []
    joined, start = "", 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        start = start if joined else number
        joined += line.strip()
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        name, _, rest = joined.partition(" ")
        found.append(Instruction(start, name, rest.strip()))
        joined = ""
    if joined:
        raise ValueError(f"{path.name}: the last line goes on, and there is nothing more")
    return found


def _expand(text: str, arguments: Dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: arguments[match.group(1)], text)


def copy_sources(dockerfile: Dockerfile, stage: Stage) -> List[str]:
    """What COPY takes from the build context, with the defaults of all arguments."""
    found = []
    for item in stage.instructions:
        words = item.rest.split()
        if item.name == "COPY" and not any(word.startswith("--from=") for word in words):
            paths = [word for word in words if not word.startswith("--")]
            found += [_expand(path, dockerfile.arguments) for path in paths[:-1]]
    return found


def shell_lines(stage: Stage) -> List[Instruction]:
    """Each RUN that a shell executes, without its options."""
    return [
        Instruction(item.line, "RUN", re.sub(r"^(--\S+ +)+", "", item.rest))
        for item in stage.instructions
        if item.name == "RUN" and not item.rest.startswith("[")
    ]


def exec_form(text: str) -> List[str]:
    """The words of an ENTRYPOINT or CMD in its exec form; ValueError for the shell form."""
    words = json.loads(text)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(text)
    return words


def is_ignored(path: str, patterns: Path) -> bool:
    """Whether a .dockerignore of this project keeps a path out of the build context.

    Its patterns are ``*``, ``!name`` for a file or a folder, and ``**/name``; the last one counts.
    """
    ignored = False
    for line in patterns.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line == "*":
            ignored = True
        elif line.startswith("!"):
            ignored = ignored and path.split("/")[0] != line[1:]
        elif line.startswith("**/"):
            ignored = ignored or line[3:] in path.split("/")
        else:
            raise ValueError(f"{patterns.name}: '{line}' is not understood")
    return ignored
