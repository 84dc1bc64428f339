"""``acl.rt``: devices, contexts, streams, events, memory and callbacks."""

from __future__ import annotations

__all__ = ()
