"""A channel of the picture hardware, with the stream that its work is queued on."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Optional, Type

from atlas_hpe.errors import SessionError
from atlas_hpe_runtime.acl.api import acquire, close_after
from atlas_hpe_runtime.acl.dvpp.pool import MemoryPool
from atlas_hpe_runtime.acl.owner import DeviceOwner

__all__ = ["DvppChannel"]


class DvppChannel:
    """One channel for JPEG decoding, cropping and resizing; a context manager, for one thread.

    Args:
        owner: The device; stays the caller's, who releases it after the channel.

    Attributes:
        owner: The device.
        stream: Where the channel's work is queued.
        handle: The channel's description.
        pool: Memory of the pictures that the channel makes; freed with the channel.

    Raises:
        DeviceError: The device refused; nothing is left behind.
    """

    def __init__(self, owner: DeviceOwner) -> None:
        self.owner = owner
        acl = owner.acl
        with owner, ExitStack() as stack:
            self.pool = MemoryPool(owner)
            stack.callback(self.pool.close)
            self.stream = acquire(stack, acl, "rt.create_stream", undo="rt.destroy_stream")
            self.handle = acquire(
                stack,
                acl,
                "media.dvpp_create_channel_desc",
                undo="media.dvpp_destroy_channel_desc",
            )
            acl.call("media.dvpp_create_channel", self.handle)
            stack.callback(acl.release, "media.dvpp_destroy_channel", self.handle)
            self.resources = stack.pop_all()
        self.closed = False

    def run(self, name: str, *args: object) -> None:
        """Queue one piece of work of the channel and wait until it is done.

        Args:
            name: The call, for example ``"media.dvpp_vpc_crop_resize_async"``.
            *args: Its arguments between the channel and the stream.

        Raises:
            SessionError: The channel is closed.
            DeviceError: The work was refused, or failed.
        """
        if self.closed:
            raise SessionError("the channel of the picture hardware is closed")
        acl = self.owner.acl
        acl.call(name, self.handle, *args, self.stream)
        # A failure is told after a second try: no memory goes while the device may be at it.
        acl.release("rt.synchronize_stream", self.stream)

    def close(self) -> None:
        """Release the channel and all its pictures; calling it again does nothing.

        Raises:
            DeviceError: A release failed at the first try; all were carried out.
        """
        self.closed = True
        with self.owner.for_release():
            self.resources.close()

    def __enter__(self) -> DvppChannel:
        return self

    def __exit__(
        self,
        error_type: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        close_after(error, self.close)
