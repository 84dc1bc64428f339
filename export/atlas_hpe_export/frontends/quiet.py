"""Keeping PyTorch's exporters from talking: stdout belongs to ``--json``, stderr to the report."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import Dict, Iterator, List, Sequence, Tuple

import torch

__all__ = ["quiet", "readable"]

_FAMILIES = ("torch", "onnxscript", "onnx_ir")
_SILENT = logging.CRITICAL + 1
# The name with which torch 2.13 dumps the graph of a failed TorchScript export; it switches the
# dump on for every export and has no public way to switch it off.
_GRAPH_DUMP = "_jit_onnx_log"
# Notices to programmers about PyTorch's own plans, which say nothing about the network.
_NOTICES = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
_NOISE = ("no signature found for",)


@contextlib.contextmanager
def quiet() -> Iterator[List[warnings.WarningMessage]]:
    """Let nothing out while PyTorch reads a network; everything is as it was afterwards.

    What ``forward`` itself prints is dropped as well: it runs several times under the exporters.

    Yields:
        The warnings that were raised, see ``readable``.
    """
    with contextlib.ExitStack() as stack:
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(_silent_loggers())
        stack.enter_context(_no_graph_dump())
        yield caught


def readable(caught: Sequence[warnings.WarningMessage]) -> Tuple[str, ...]:
    """First lines of warnings about the network, without repeats."""
    lines: List[str] = []
    for item in caught:
        line = (str(item.message).strip().splitlines() or [""])[0]
        noise = issubclass(item.category, _NOTICES) or line.startswith(_NOISE)
        if line and not noise and line not in lines:
            lines.append(line)
    return tuple(lines)


@contextlib.contextmanager
def _silent_loggers() -> Iterator[None]:
    """Levels rather than ``logging.disable``: other threads' loggers go on as they were."""
    levels: Dict[logging.Logger, int] = {}
    for name in [*_FAMILIES, *logging.root.manager.loggerDict]:
        if name.split(".")[0] in _FAMILIES:
            logger = logging.getLogger(name)
            levels.setdefault(logger, logger.level)
    try:
        for logger in levels:
            logger.setLevel(_SILENT)
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextlib.contextmanager
def _no_graph_dump() -> Iterator[None]:
    log = getattr(torch._C, _GRAPH_DUMP, None)
    if log is None:
        yield
        return
    setattr(torch._C, _GRAPH_DUMP, lambda *_parts: None)
    try:
        yield
    finally:
        setattr(torch._C, _GRAPH_DUMP, log)
