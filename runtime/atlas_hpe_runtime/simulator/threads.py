"""``acl.util``: threads that can serve callbacks."""

from __future__ import annotations

import errno
import threading
import traceback
from typing import TYPE_CHECKING, Callable, Optional, cast

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = ["CallbackThread", "start_thread", "stop_thread"]


class CallbackThread(threading.Thread):
    """A thread that stays until it is let go, and keeps what its function raised.

    A thread of the device's module keeps its number until it is joined; one of Python's that has
    ended does not, and the next one would often get the same.

    Args:
        function: Called as ``function(data)``, or without an argument if the data are None.
        data: The argument.
    """

    def __init__(self, function: Callable[..., object], data: object) -> None:
        super().__init__(daemon=True, name="acl.util.start_thread")
        self.failure: Optional[str] = None
        self._function = function
        self._data = data
        self._let_go = threading.Event()

    def run(self) -> None:
        """Call the function, and wait to be let go."""
        try:
            if self._data is None:
                self._function()
            else:
                self._function(self._data)
        except BaseException as error:  # noqa: BLE001 - comes out of stop_thread
            self.failure = f"exception={type(error).__name__},msg=thread call failed;"
            traceback.print_exc()
        self._let_go.wait()

    def let_go(self) -> None:
        """Let the thread end when its function has returned."""
        self._let_go.set()


@acl_call("acl.util.start_thread", "OO", returns="value+ret")
def start_thread(machine: Machine, function: object, data: object) -> int:
    """A thread that runs ``function(data)``; it has no context of its own."""
    if not callable(function):
        raise TypeError("parameter must be callable")
    thread = CallbackThread(cast(Callable[..., object], function), data)
    thread.start()
    number = thread.ident or 0
    machine.threads[number] = thread
    machine.ledger.add("thread", number)
    return number


@acl_call("acl.util.stop_thread", "K")
def stop_thread(machine: Machine, number: int) -> None:
    """Wait until the thread's function returns; nothing makes it return.

    Raises:
        RuntimeError: The function raised an exception.
    """
    if number == threading.get_ident():
        raise AclFailure(errno.EDEADLK)
    thread = machine.threads.pop(number, None)
    if thread is None:
        raise AclFailure(errno.ESRCH)
    thread.let_go()
    thread.join()
    machine.ledger.strike("thread", number)
    if thread.failure is not None:
        raise RuntimeError(thread.failure)
