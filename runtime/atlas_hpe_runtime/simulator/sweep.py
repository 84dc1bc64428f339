"""Fail every call of a run in turn: one clear error has to come out, and nothing may stay.

outcomes = sweep(lambda: run_my_program())
write_table(Path("sweep.csv"), outcomes)
bad = [outcome for outcome in outcomes if outcome.problems]
"""

from __future__ import annotations

import csv
import io
import sys
import threading
from collections import Counter
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Set, Tuple

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe.outfile import AtomicFile
from atlas_hpe_runtime.simulator.calls import spec_of
from atlas_hpe_runtime.simulator.faults import FaultPlan
from atlas_hpe_runtime.simulator.install import install, uninstall
from atlas_hpe_runtime.simulator.ledger import call_site
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = ["CallSite", "Outcome", "record_calls", "sweep", "write_table"]

#: An error that any call may give: "internal error of the runtime" (ascend.md section 1.7).
ANY_CALL_CODE = 507000
#: ACL is finalised when the process ends, after everything that could still raise.
_AT_EXIT = "acl.finalize"
#: What stays until then.
_STAYS = "init"


@dataclass(frozen=True)
class CallSite:
    """A place in a program that calls ACL.

    Attributes:
        call: For example ``"acl.rt.malloc"``.
        site: ``file:line in function``.
        count: How many calls of the run came from here.
    """

    call: str
    site: str
    count: int


@dataclass(frozen=True)
class Outcome:
    """What one fault led to.

    Attributes:
        call: The call that failed.
        number: Which one from its place, from 1.
        site: Its place in the program.
        error: What the program raised, in one line; empty if it raised nothing.
        live: Handles and memory blocks that were left.
        problems: What is not as it has to be; empty if all is well.
    """

    call: str
    number: int
    site: str
    error: str
    live: int
    problems: Tuple[str, ...]


def record_calls(job: Callable[[], None], settings: SimulatorSettings) -> List[CallSite]:
    """Run a program without faults and note from where it calls ACL.

    Args:
        job: The program; ``import acl`` gives it the simulator. It may be run several times.
        settings: What to simulate.
    """
    recorder = _Places()
    machine = _install(settings, recorder)
    try:
        job()
    finally:
        uninstall(machine)
    return recorder.sites()


def sweep(
    job: Callable[[], None],
    settings: Optional[SimulatorSettings] = None,
    code: int = ANY_CALL_CODE,
) -> List[Outcome]:
    """Run a program once for each place from which it calls ACL, and let that call fail.

    Of a place that is passed several times the first and the last call fail, each in a run of its
    own; a last one that this run does not come to, since threads meet in another order, is left
    out. A fault has to end in one ``AtlasHpeError`` that says what to do and names the call, and
    the code where there is one. It must leave no handle, no memory and no thread, and touch nothing
    that was freed; and the program has to work when it is run again on the same device.

    Args:
        job: As for ``record_calls``.
        settings: What to simulate; None for the defaults.
        code: What the failing call returns.

    Returns:
        An outcome per fault, in the order in which the calls first came.
    """
    settings = SimulatorSettings() if settings is None else settings
    outcomes = []
    for place in record_calls(job, settings):
        if place.call == _AT_EXIT:
            continue
        for number in sorted({1, place.count}):
            outcome = _fail_once(job, settings, place, number, code)
            if outcome is not None:
                outcomes.append(outcome)
    return outcomes


def write_table(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes as CSV, a line per fault."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["call", "n", "site", "error shown", "handles left", "problems"])
    for item in outcomes:
        problems = "; ".join(item.problems)
        table.writerow([item.call, item.number, item.site, item.error, item.live, problems])
    with AtomicFile(path, force=True) as file:
        file.write(text.getvalue().encode())


def _install(settings: SimulatorSettings, faults: FaultPlan) -> Machine:
    machine = install(replace(settings, fail=""))
    machine.faults = faults
    return machine


def _fail_once(
    job: Callable[[], None],
    settings: SimulatorSettings,
    place: CallSite,
    number: int,
    code: int,
) -> Optional[Outcome]:
    """None when the run did not come to that call, and it was not the first."""
    before = set(threading.enumerate())
    faults = _Places(place.call, place.site, number, code)
    machine = _install(settings, faults)
    try:
        error, problems = _run(job, place.call, code)
        if not faults.fired:
            problems = ["the run did not come to this call"]
        left = [entry for entry in machine.ledger.live() if entry.kind != _STAYS]
        problems += [f"left: {entry.describe()}" for entry in left]
        problems += [f"misuse: {note}" for note in machine.ledger.notes()]
        if faults.fired:
            problems += _run_again(job, machine)
    finally:
        uninstall(machine)
    if number > 1 and not faults.fired:
        return None
    problems += _left_threads(before)
    return Outcome(place.call, number, place.site, error, len(left), tuple(problems))


def _run(job: Callable[[], None], call: str, code: int) -> Tuple[str, List[str]]:
    """The error that the job ends with, in one line, and what is wrong with it."""
    try:
        job()
    except AtlasHpeError as error:
        shown = str(error)
        needed = [call, str(code)] if _gives_code(call) else [call]
        problems = [f"the error does not name {part}" for part in needed if part not in shown]
        problems += [] if error.fix else ["the error says no fix"]
        return " | ".join(line.strip() for line in shown.splitlines()), problems
    except Exception as error:  # noqa: BLE001  # any other kind is what is looked for
        return f"{type(error).__name__}: {error}", ["not an error of our tree"]
    return "", ["no error"]


def _gives_code(call: str) -> bool:
    """Whether the call says why it failed; some give an empty value and no more."""
    name = call.partition(".")[2]
    return spec_of(attrgetter(name)(sys.modules["acl"])).returns != "value"


def _run_again(job: Callable[[], None], machine: Machine) -> List[str]:
    """Problems of a second run on the same device, without a fault."""
    live = set(machine.ledger.live())
    try:
        job()
    except AtlasHpeError as error:
        return [f"does not work again: {error.what}"]
    fresh = [entry for entry in machine.ledger.live() if entry not in live and entry.kind != _STAYS]
    return [f"left by the next run: {entry.describe()}" for entry in fresh]


def _left_threads(before: Set[threading.Thread]) -> List[str]:
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(timeout=2.0)
    return [f"thread left: {thread.name}" for thread in left if thread.is_alive()]


class _Places(FaultPlan):
    """Counts calls by the place they come from, and lets one of them fail, if one is named.

    Numbers of places do not depend on how threads take turns, as those of a whole run do.

    Attributes:
        fired: Whether the call that was to fail has come.
    """

    def __init__(self, call: str = "", site: str = "", number: int = 0, code: int = 0) -> None:
        super().__init__({})
        self.fired = False
        self._target = (call, site, number)
        self._code = code
        self._counts_by_place: Counter[Tuple[str, str]] = Counter()
        self._guard = threading.Lock()

    def next(self, call: str) -> Optional[int]:
        place = (call, call_site(whole_path=False))
        with self._guard:
            self._counts_by_place[place] += 1
            if self.fired or (*place, self._counts_by_place[place]) != self._target:
                return None
            self.fired = True
        return self._code

    def sites(self) -> List[CallSite]:
        """In the order in which they were first passed."""
        return [CallSite(*place, count) for place, count in self._counts_by_place.items()]
