"""The picture and video units of the simulated device (``acl.media``)."""

from __future__ import annotations

__all__ = ()
