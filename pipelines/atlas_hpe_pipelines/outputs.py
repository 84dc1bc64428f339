"""Where the frames of a run go: checked before any work, opened together, each a stage."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, Tuple, Type, Union

from atlas_hpe.errors import OutputError
from atlas_hpe.stopping import stop_requests
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
from atlas_hpe_pipelines.sinks.sink import BaseSink
from atlas_hpe_pipelines.work import Work

if TYPE_CHECKING:
    from types import TracebackType

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
        out: Union[str, Path, Sequence[Union[str, Path]]],
        sinks: Mapping[str, Sink],
        options: OutputOptions,
        force: bool,
    ) -> None:
        paths = [out] if isinstance(out, (str, Path)) else out
        self._paths = [check_output(path, force=force) for path in paths]
        self._given = dict(sinks)
        self._options = options
        self._force = force
        self._opened: List[BaseSink] = []

    def check_apart(self, inputs: Sequence[Union[str, Path, None]]) -> None:
        """No output may be written twice, over what is being read, or over the folder of either.

        Args:
            inputs: Files, folders or patterns that the run reads.

        Raises:
            OutputError: One would be.
        """
        used: Dict[str, str] = {}
        for path in inputs:
            if path is None or str(path) == STDOUT:  # standard input and output are two things
                continue
            place = os.path.realpath(str(path))
            used[place] = used[str(Path(place).parent)] = f"{path} is read"
        places = [os.path.realpath(str(path)) for path in self._paths]
        for path, place in zip(self._paths, places):
            used.setdefault(str(Path(place).parent), f"{path} is to be in it")
        for path, place in zip(self._paths, places):
            if place in used:
                raise OutputError(
                    "the output would overwrite a file of this run",
                    where=_shown(path),
                    why=used[place],
                    fix="give another name with --out",
                )
            used[place] = "the same output is given twice"

    def open(self, stack: ExitStack, fps: float, size_px: Tuple[int, int]) -> None:
        """Open the files; the stack finishes all of them, or removes all after an error.

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
        stack.push(self._finish)

    def _finish(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        """All outputs or none: named together, and only when each is complete.

        Raises:
            OutputError: One can't be completed or named.
            KeyboardInterrupt: It came while they were named, and had to wait.
        """
        if kind is not None:
            return
        for sink in self._opened:
            sink.complete()
        with stop_requests() as stop_asked:
            for sink in self._opened:
                sink.finish()
        if stop_asked():
            raise KeyboardInterrupt

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
        shown = []
        for index, name in enumerate(names):
            number = names[: index + 1].count(name)
            shown.append(f"{name} ({number})" if names.count(name) > 1 else name)
        return [*shown, *self._given]

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
