"""Where the frames of a run go: checked before any work, opened together, each a stage."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple, Union

from atlas_hpe.errors import OutputError
from atlas_hpe_pipelines.overlap import Stage
from atlas_hpe_pipelines.run_report import OutputReport
from atlas_hpe_pipelines.sinks import (
    FOLDER,
    STDOUT,
    OutputOptions,
    Sink,
    check_output,
    kind_of,
    open_sink,
)
from atlas_hpe_pipelines.work import Work

__all__ = ["Outputs"]

#: What the table of a run calls outputs without a suffix.
_STAGES = {FOLDER: "pictures", STDOUT: "stdout"}


class Outputs:
    """The outputs of a run.

    Args:
        out: Files and folders to write, kind by suffix; ``-`` is standard output.
        sinks: Outputs that are open already, by the name of their stage; they stay the caller's.
        options: How the files are written.
        force: Replace files that exist.

    Raises:
        OutputError: One of them can't be written.
    """

    def __init__(
        self,
        out: Sequence[Union[str, Path]],
        sinks: Mapping[str, Sink],
        options: OutputOptions,
        force: bool,
    ) -> None:
        self._paths = [check_output(path, force=force) for path in out]
        self._given = dict(sinks)
        self._options = options
        self._force = force
        self._opened: List[Sink] = []

    def check_apart(self, inputs: Sequence[Union[str, Path, None]]) -> None:
        """No output may be written twice, or over what is being read.

        Raises:
            OutputError: One would be.
        """
        seen: Dict[str, str] = {}
        for path in filter(None, inputs):
            place = os.path.realpath(str(path))
            seen[place] = seen[str(Path(place).parent)] = f"it is read as {path}"
        for path in self._paths:
            place = os.path.realpath(str(path))
            if place in seen:
                raise OutputError(
                    "the output would overwrite a file of this run",
                    where=path,
                    why=seen[place],
                    fix="give another name with --out",
                )
            seen[place] = "the same output is given twice"

    def open(self, stack: ExitStack, fps: float, size_px: Tuple[int, int]) -> None:
        """Open the files; the stack finishes them, or removes them after an error.

        Args:
            stack: What closes them.
            fps: Nominal rate of the frames.
            size_px: Width and height of the pictures.

        Raises:
            OutputError: A file can't be created.
            MissingExtraError: A library for it is not installed.
        """
        for path in self._paths:
            sink = open_sink(
                path, fps=fps, size_px=size_px, force=self._force, options=self._options
            )
            self._opened.append(stack.enter_context(sink))

    @property
    def wants_picture(self) -> bool:
        """Whether any of the open outputs shows pictures."""
        return any(sink.wants_picture for sink in self._sinks)

    def stages(self) -> List[Stage[Work]]:
        """One for each open output."""
        return [Stage(name, _WriteTo(sink)) for name, sink in zip(self._names(), self._sinks)]

    def drops(self) -> Dict[str, int]:
        """Frames that outputs left out, by the name of the stage."""
        return {name: sink.dropped for name, sink in zip(self._names(), self._sinks)}

    def reports(self) -> Tuple[OutputReport, ...]:
        """What became of the files."""
        return tuple(
            OutputReport(_shown(path), sink.dropped)
            for path, sink in zip(self._paths, self._opened)
        )

    def _names(self) -> List[str]:
        names = [_STAGES.get(kind_of(path), kind_of(path)[1:]) for path in self._paths]
        if len(names) > 1:
            names = [f"{name} ({number})" for number, name in enumerate(names, start=1)]
        return [*names, *self._given]

    @property
    def _sinks(self) -> List[Sink]:
        return [*self._opened, *self._given.values()]


def _shown(path: Path) -> str:
    """As the user wrote it."""
    return f"{path}{FOLDER}" if kind_of(path) == FOLDER else str(path)


@dataclass(frozen=True)
class _WriteTo:
    """The stage that hands frames to one output."""

    sink: Sink

    def __call__(self, work: Work) -> Work:
        self.sink.write(work.frame, work.picture, work.hands)
        return work
