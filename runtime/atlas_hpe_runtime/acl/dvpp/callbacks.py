"""The thread in which the device runs our callbacks."""

from __future__ import annotations

from threading import Event
from typing import Callable

from atlas_hpe.errors import AtlasHpeError, DeviceError
from atlas_hpe_runtime.acl.api import device_error
from atlas_hpe_runtime.acl.owner import DeviceOwner

__all__ = ["CallbackThread"]

_WAIT_MS = 100
#: What process_report returns when nothing came in time, by release (ascend.md section 1.7).
_NOTHING_CAME = frozenset({100036, 107019, 507012})
#: What it returns while no channel uses the thread yet, or any more.
_NOT_NEEDED = frozenset({100035, 107011})
#: So that an answer that comes at once, again and again, does not keep a core busy.
_PAUSE_S = 0.01


class CallbackThread:
    """Runs callbacks until it is closed.

    Args:
        owner: The device; stays the caller's.
        on_error: Told of each error that the thread meets; it goes on after that, because whoever
            closes a channel waits for the callbacks.

    Attributes:
        handle: What ACL knows the thread by.

    Raises:
        DeviceError: The thread can't be started.
    """

    def __init__(self, owner: DeviceOwner, on_error: Callable[[AtlasHpeError], None]) -> None:
        self._owner = owner
        self._on_error = on_error
        self._stopping = Event()
        self.handle = owner.acl.number("util.start_thread", self._serve, [])

    def close(self) -> None:
        """Let the thread end and wait for it.

        Raises:
            DeviceError: It could not be joined at the first try.
        """
        self._stopping.set()
        self._owner.acl.release("util.stop_thread", self.handle)

    def _serve(self, _arguments: object) -> None:
        while not self._stopping.is_set():
            try:
                # The context is kept per thread, so only the first time is a call.
                self._owner.activate()
                _, code = self._owner.acl.try_call("rt.process_report", _WAIT_MS)
                if code in _NOT_NEEDED:
                    self._stopping.wait(_PAUSE_S)
                elif code != 0 and code not in _NOTHING_CAME:
                    raise device_error("rt.process_report", code)
            except DeviceError as error:
                self._on_error(error)
                self._stopping.wait(_PAUSE_S)
