"""One owner of a device per process: initialisation, context and stream, and their release.

Sessions, DVPP channels and whatever else uses a device share its owner. The order of release is
the one of ascend.md section 1.5: what users of the owner made, the stream, the context, the
device, ACL itself. ACL can be initialised once per process (section 1.2), so it is finalised when
the process ends, and not with the last owner.
"""

from __future__ import annotations

import atexit
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Iterator, List, Optional, Set, Type

from atlas_hpe.errors import DeviceError
from atlas_hpe_runtime.acl.api import Acl, acquire, device_error
from atlas_hpe_runtime.acl.codes import CONTEXT_NULL, REPEAT_INITIALISE
from atlas_hpe_runtime.acl.constants import RUN_MODE_DEVICE

__all__ = ["DeviceOwner", "finalise"]


class DeviceOwner:
    """A device with its context and stream: made by the first ``acquire``, released by the last.

    Any thread may use it: ``with owner:`` makes its context the calling thread's. The owners of
    a process and their counts are guarded by the gate's lock.

    When another part of the process had initialised ACL before us, ACL is not ours alone: that
    part's context is put back after each block, the device is not reset and ACL not finalised.

    Attributes:
        acl: The gate.
        device: Number of the device.
        context: Its context; every handle made with this owner belongs to it.
        stream: A stream for users that need none of their own.
        on_board: Whether the program runs on the board itself, where host and device are one
            memory (RC mode), or on a host with a card (EP mode).
        video_channels: Numbers of the video decoder's channels in use; the gate's lock guards it.
    """

    def __init__(self, acl: Acl, device: int) -> None:
        self.acl = acl
        self.device = device
        self.video_channels: Set[int] = set()
        self._users = 0
        with ExitStack() as stack:
            acl.call("rt.set_device", device)
            if acl.ours:
                stack.callback(acl.release, "rt.reset_device", device)
            self.context = acquire(
                stack, acl, "rt.create_context", device, undo="rt.destroy_context"
            )
            self.stream = acquire(stack, acl, "rt.create_stream", undo="rt.destroy_stream")
            self.on_board = acl.number("rt.get_run_mode") == RUN_MODE_DEVICE
            self._resources = stack.pop_all()

    @classmethod
    def acquire(cls, acl: Acl, device: int) -> DeviceOwner:
        """The owner of a device, made at the first use; call ``release`` once per ``acquire``.

        Raises:
            DeviceError: The device can't be used; nothing is left behind.
        """
        with acl.lock:
            owner = acl.owners.get(device)
            if owner is None:
                owner = acl.owners[device] = _open(acl, device)
            owner._users += 1
            return owner

    def release(self) -> None:
        """Give the owner back; the last user releases the device.

        Raises:
            DeviceError: A release failed; the others were carried out all the same.
        """
        with self.acl.lock:
            self._users -= 1
            if self._users == 0:
                del self.acl.owners[self.device]
                self._close()

    def activate(self) -> None:
        """Make the context the calling thread's, for good; once per thread is enough.

        For threads that belong to this program, such as one that serves callbacks.

        Raises:
            DeviceError: The device refused.
        """
        thread = self.acl.thread
        if getattr(thread, "owner", None) is not self:
            self.acl.call("rt.set_context", self.context)
            thread.owner = self

    def __enter__(self) -> DeviceOwner:
        if self.acl.ours:
            self.activate()
            return self
        previous = _current_context(self.acl)
        self.acl.call("rt.set_context", self.context)
        self._previous().append(previous)
        return self

    def __exit__(
        self,
        error_type: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if not self.acl.ours:
            _put_back(self.acl, self._previous().pop())

    @contextmanager
    def for_release(self) -> Iterator[None]:
        """As ``with owner:``, for giving things back: the block runs whatever happens before it.

        Raises:
            DeviceError: The context could not be set at once; raised after the block.
        """
        self.acl.thread.owner = None
        previous = 0
        with ExitStack() as stack:
            try:
                previous = 0 if self.acl.ours else _current_context(self.acl)
            except DeviceError as error:
                stack.callback(_raise, error)
            try:
                self.acl.release("rt.set_context", self.context)
            except DeviceError as error:
                stack.callback(_raise, error)
            if previous != self.context:
                stack.callback(_put_back, self.acl, previous)
            yield

    def _previous(self) -> List[int]:
        """Contexts to put back in this thread, the innermost block's last."""
        thread = self.acl.thread
        if not hasattr(thread, "previous"):
            thread.previous = []
        contexts: List[int] = thread.previous
        return contexts

    def _close(self) -> None:
        with self.for_release(), self._resources:
            self.acl.thread.owner = None


def finalise(acl: Acl) -> None:
    """Finalise ACL, for good; runs by itself when the process ends.

    Does nothing if it was not initialised by us, or while a device is in use.

    Raises:
        DeviceError: ACL refused.
    """
    with acl.lock:
        if acl.ours and not acl.owners:
            acl.ours = False
            acl.release("finalize")


def _finalise_quietly(acl: Acl) -> None:
    """Nobody is left to tell."""
    with suppress(DeviceError):
        finalise(acl)


def _open(acl: Acl, device: int) -> DeviceOwner:
    _initialise(acl)
    acl.thread.owner = None
    with ExitStack() as stack:
        with _context_kept(acl):
            owner = DeviceOwner(acl, device)
            stack.callback(owner._close)
        if acl.ours:
            acl.thread.owner = owner  # rt.create_context has made it current
        stack.pop_all()
    return owner


def _initialise(acl: Acl) -> None:
    if acl.ours:
        return
    code = acl.try_call("init")[1]
    if code not in (0, REPEAT_INITIALISE):
        raise device_error("init", code)
    if code == 0:
        acl.ours = True
        atexit.register(_finalise_quietly, acl)


@contextmanager
def _context_kept(acl: Acl) -> Iterator[None]:
    """Put back what the thread had, when ACL is not ours alone."""
    previous = 0 if acl.ours else _current_context(acl)
    try:
        yield
    finally:
        _put_back(acl, previous)


def _current_context(acl: Acl) -> int:
    """The calling thread's context, 0 when it has none."""
    context, code = acl.try_call("rt.get_context")
    if code not in (0, CONTEXT_NULL):
        raise device_error("rt.get_context", code)
    return context if isinstance(context, int) and code == 0 else 0


def _put_back(acl: Acl, context: int) -> None:
    if context:
        acl.release("rt.set_context", context)


def _raise(error: DeviceError) -> None:
    raise error
