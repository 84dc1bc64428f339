"""The board's side, on pyACL: the only place that imports ``acl``.

Nothing here knows whether the module behind the gate is the real one or the simulator's.
"""

from __future__ import annotations

from typing import Tuple

__all__: Tuple[str, ...] = ()
