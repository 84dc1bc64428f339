"""The whole simulated device, as one object."""

from __future__ import annotations

import os
import threading
from typing import Dict, Optional, Tuple

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.codes import (
    CONTEXT_NULL,
    DRIVER_INTERNAL,
    NOT_INITIALISED,
    STREAM_CONTEXT,
)
from atlas_hpe_runtime.simulator.faults import FaultPlan
from atlas_hpe_runtime.simulator.handles import Handles
from atlas_hpe_runtime.simulator.ledger import Ledger
from atlas_hpe_runtime.simulator.memory import Memory
from atlas_hpe_runtime.simulator.reports import ReportQueue
from atlas_hpe_runtime.simulator.settings import SimulatorSettings
from atlas_hpe_runtime.simulator.stream import Stream
from atlas_hpe_runtime.simulator.threads import CallbackThread

__all__ = ["Context", "Machine"]


class Context:
    """A context of a device; streams and models belong to one.

    Args:
        device: Number of the device.
    """

    def __init__(self, device: int) -> None:
        self.device = device
        self.alive = True
        self.handle = 0
        #: What the stream handle 0 means while this context is the current one.
        self.default_stream = Stream(self)


class Machine:
    """A simulated device with everything that a program did to it; nothing of it is global.

    Args:
        settings: What to simulate.
    """

    def __init__(self, settings: Optional[SimulatorSettings] = None) -> None:
        self.settings = SimulatorSettings() if settings is None else settings
        self.title = f"simulated {self.settings.soc}"
        #: Hold it where the state below changes.
        self.lock = threading.RLock()
        self.faults = FaultPlan.parse(self.settings.fail)
        self.ledger = Ledger(self.title)
        self.handles = Handles(self.ledger)
        self.memory = Memory(self.settings, self.ledger)
        #: Between acl.init and acl.finalize.
        self.initialised = False
        self.was_initialised = False
        self.finalised = False
        #: The default context of each device that is set.
        self.devices: Dict[int, Context] = {}
        #: Callbacks that wait for a thread, by the thread's id.
        self.reports: Dict[int, ReportQueue] = {}
        #: Threads that acl.util.start_thread made, by id.
        self.threads: Dict[int, CallbackThread] = {}
        self._process = os.getpid()
        self._current = threading.local()

    def begin(self, call: str, needs: Optional[str]) -> None:
        """What comes before every call: the count, the fault on order, and what it needs.

        Raises:
            AclFailure: The fault on order; 100001 before acl.init; 107002 without a context; 507899
                in a forked process.
        """
        self.ledger.enter_call(call)
        code = self.faults.next(call)
        if code is not None:
            raise AclFailure(code)
        if os.getpid() != self._process:
            self._enter_fork(call)
        if needs == "init" and not self.initialised:
            raise AclFailure(NOT_INITIALISED)
        if needs == "context":
            self.context()

    def context(self) -> Context:
        """The current context of the calling thread.

        That is the one that the thread created or set last; without one, or when it was destroyed
        by this thread, the default context of the device that the thread set last.

        Raises:
            AclFailure: 107002, there is none, or it no longer lives.
        """
        for context in self._candidates():
            if context is not None:
                if context.alive:
                    return context
                break
        raise AclFailure(CONTEXT_NULL)

    def set_context(self, context: Context) -> None:
        """Make a context the current one of the calling thread."""
        self._current.explicit = context

    def leave_context(self, context: Context) -> None:
        """If a context is the calling thread's, fall back to the default one of its device."""
        if getattr(self._current, "explicit", None) is context:
            self._current.explicit = None

    def set_device_context(self, context: Context) -> None:
        """Make the default context of a device the current one of the calling thread."""
        self._current.explicit = None
        self._current.default = context

    def stream(self, handle: int) -> Stream:
        """A stream of the current context; 0 is the context's default stream.

        Raises:
            AclFailure: 107002 without a context; 107003 if the stream belongs to another context,
                was destroyed or never made.
        """
        context = self.context()
        if not handle:
            return context.default_stream
        try:
            stream = self.handles.get("stream", handle)
        except AclFailure:
            raise AclFailure(STREAM_CONTEXT) from None
        if not isinstance(stream, Stream) or stream.context is not context:
            raise AclFailure(STREAM_CONTEXT)
        return stream

    def close(self) -> None:
        """Let the threads of all streams end, and those of acl.util that nobody stopped."""
        for _, stream in self.handles.all_of("stream"):
            if isinstance(stream, Stream):
                stream.close()
        for _, context in self.handles.all_of("context"):
            if isinstance(context, Context):
                context.default_stream.close()
        for thread in list(self.threads.values()):
            thread.let_go()

    def _candidates(self) -> Tuple[Optional[Context], Optional[Context]]:
        current = self._current
        return getattr(current, "explicit", None), getattr(current, "default", None)

    def _enter_fork(self, call: str) -> None:
        """A fork of a process that had not used the device yet may use it; another one can't."""
        with self.lock:
            if not self.initialised and not self.devices:
                self._process = os.getpid()
                return
        self.ledger.note(
            f"{call} in a forked process: pyACL does not support fork, the real call fails or "
            "hangs; use multiprocessing's start method 'spawn'"
        )
        raise AclFailure(DRIVER_INTERNAL)
