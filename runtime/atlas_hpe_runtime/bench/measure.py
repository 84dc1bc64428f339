"""Taking the times."""

from __future__ import annotations

from collections import deque
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import Callable, Deque, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from atlas_hpe.card import find_card
from atlas_hpe.errors import UsageError
from atlas_hpe.files import sha256_of
from atlas_hpe_runtime.bench.compare import check_comparable
from atlas_hpe_runtime.bench.feeds import count_frames, make_feeds
from atlas_hpe_runtime.bench.machine import read_machine
from atlas_hpe_runtime.bench.report import (
    BenchedModel,
    BenchReport,
    BenchSettings,
    Figures,
    summarise,
)
from atlas_hpe_runtime.open import open_session
from atlas_hpe_runtime.session import Session

__all__ = ["bench_model"]

_COUNTS = {"warm_up": 0, "loops": 1, "loads": 1, "callers": 1, "in_flight": 1}
_MS = 1e3


def bench_model(
    path: Union[str, Path],
    settings: Optional[BenchSettings] = None,
    against: Optional[BenchReport] = None,
) -> BenchReport:
    """Run a model on random inputs and take the times of its steps.

    Args:
        path: Model file.
        settings: What to do, None for the defaults.
        against: A report that this one is to be compared with; looked at before anything is
            measured.

    Raises:
        UsageError: An impossible setting, or a report that can't be compared with this one.
        InputError: The model can't be read.
        SessionError, DeviceError, MissingExtraError: As of ``open_session`` and ``Session.run``.
    """
    path, settings = Path(path), settings or BenchSettings()
    _check_settings(settings)
    card = find_card(path)
    graph_sha256 = None if card is None else card.provenance.graph_sha256
    with ExitStack() as stack:
        # Opened first and kept: what a process does once, loading libraries and starting the
        # device, is no part of loading a model.
        session = stack.enter_context(_open(path, settings))
        feeds, ranges = make_feeds(session.inputs, card, settings.batch)
        header = BenchReport(
            model=BenchedModel(path.name, sha256_of(path), graph_sha256),
            backend=session.backend,
            basis=session.basis,
            settings=settings,
            frames_per_run=count_frames(ranges, settings.batch),
            feeds=ranges,
            machine=read_machine(),
        )
        if against is not None:
            check_comparable(header, against)
        times = {"load": summarise([_time_load(path, settings) for _ in range(settings.loads)])}
        one_by_one, rate = _run_one_by_one(session, feeds, settings)
        times.update(one_by_one)
        rates = {"one by one": rate * header.frames_per_run}
        if settings.callers > 1 or settings.in_flight > 1:
            others = [
                stack.enter_context(_open(path, settings)) for _ in range(settings.callers - 1)
            ]
            times["overlapped"], rate = _run_overlapped([session, *others], feeds, settings)
            rates["overlapped"] = rate * header.frames_per_run
    return replace(header, times=times, frames_per_s=rates)


def _check_settings(settings: BenchSettings) -> None:
    for name, least in _COUNTS.items():
        value = getattr(settings, name)
        if value < least:
            raise UsageError(f"{value} is too few", where=name, fix=f"give {least} or more")
    if settings.batch is not None and settings.batch < 1:
        raise UsageError(f"{settings.batch} is no batch", where="batch", fix="give 1 or more")


def _open(path: Path, settings: BenchSettings) -> Session:
    return open_session(
        path,
        backend=settings.backend,
        device=settings.device,
        threads=settings.threads,
        frames_in_flight=settings.in_flight,
        batch=settings.batch,
        half=settings.half,
        providers=settings.providers,
    )


def _time_load(path: Path, settings: BenchSettings) -> float:
    started = perf_counter()
    with _open(path, settings):
        return _MS * (perf_counter() - started)


def _run_one_by_one(
    session: Session, feeds: Mapping[str, np.ndarray], settings: BenchSettings
) -> Tuple[Dict[str, Figures], float]:
    """Figures of each step, and runs per second."""
    for _ in range(settings.warm_up):
        session.run(feeds)
    steps, whole = [], []
    began = perf_counter()
    for _ in range(settings.loops):
        started = perf_counter()
        steps.append(session.run_timed(feeds)[1])
        whole.append(_MS * (perf_counter() - started))
    took_s = perf_counter() - began
    figures = {
        "copy in": summarise([step.copy_in_ms for step in steps]),
        "execute": summarise([step.execute_ms for step in steps]),
        "copy out": summarise([step.copy_out_ms for step in steps]),
        "end to end": summarise(whole),
    }
    return figures, settings.loops / took_s


def _run_overlapped(
    sessions: List[Session], feeds: Mapping[str, np.ndarray], settings: BenchSettings
) -> Tuple[Figures, float]:
    """Figures from submit to result, and runs per second of all callers together."""
    for session in sessions:
        for _ in range(settings.warm_up):
            session.run(feeds)
    stop = Event()
    with ThreadPoolExecutor(len(sessions), thread_name_prefix="bench") as pool:
        began = perf_counter()
        callers = [
            pool.submit(_call, session, feeds, settings, stop.is_set) for session in sessions
        ]
        try:
            wait(callers, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()  # one that failed, or Ctrl-C, ends the others too
        took_s = perf_counter() - began
    waits = [wait_ms for caller in callers for wait_ms in caller.result()]
    return summarise(waits), len(waits) / took_s


def _call(
    session: Session,
    feeds: Mapping[str, np.ndarray],
    settings: BenchSettings,
    stopped: Callable[[], bool],
) -> List[float]:
    """One caller: keep ``in_flight`` runs on their way; the milliseconds that each took."""
    flying: Deque[Tuple[int, float]] = deque()
    waits: List[float] = []

    def land() -> None:
        handle, started = flying.popleft()
        session.result(handle)
        waits.append(_MS * (perf_counter() - started))

    for _ in range(settings.loops):
        if stopped():
            break
        if len(flying) == settings.in_flight:
            land()
        started = perf_counter()
        flying.append((session.submit(feeds), started))
    while flying:
        land()
    return waits
