"""Running an .om through Huawei's AclLite classes, on boards and in programs built on them."""

from __future__ import annotations

from typing import Tuple

__all__: Tuple[str, ...] = ()
