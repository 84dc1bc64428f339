"""``acl.mdl`` and the data buffers of the simulated device (ascend.md section 1.3)."""

from __future__ import annotations

from typing import Tuple

__all__: Tuple[str, ...] = ()
