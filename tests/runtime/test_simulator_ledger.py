"""Where the ledger says that a call was made."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from simulated import started

from atlas_hpe_runtime.acl.api import Acl, acquire
from atlas_hpe_runtime.simulator.ledger import call_site

_HERE = Path(__file__).name


def test_a_call_through_the_gate_counts_where_the_gate_was_called() -> None:
    acl, machine = started()
    gate = Acl(acl, simulated=True)
    gate.number("rt.create_stream")
    line = sys._getframe().f_lineno - 1
    with ExitStack() as stack:
        acquire(stack, gate, "rt.create_event", undo="rt.destroy_event")
        sites = [entry.site for entry in machine.ledger.live()[-2:]]
    name = test_a_call_through_the_gate_counts_where_the_gate_was_called.__name__
    assert sites == [f"{__file__}:{line + number} in {name}" for number in (0, 3)]


def test_what_a_stack_of_contexts_does_counts_where_the_stack_is_closed() -> None:
    acl, machine = started()
    stack = ExitStack()
    stack.callback(acl.rt.free, 5)
    stack.close()
    line = sys._getframe().f_lineno - 1
    (note,) = machine.ledger.notes()
    assert f"{_HERE}:{line} in test_what_a_stack" in note


def test_a_site_may_leave_the_folders_out() -> None:
    here = call_site(whole_path=False)
    assert here.startswith(f"{_HERE}:")
    assert call_site().partition(":")[0] == __file__
