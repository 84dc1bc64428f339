"""Reading the catalogue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List

__all__ = ["read_table"]


def read_table(name: str) -> List[Dict[str, object]]:
    """A table of ``catalogue.json``, its lists as tuples.

    Args:
        name: ``"socs"``, ``"flags"``, ``"releases"``, ``"python"`` or ``"drivers"``.
    """
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    return [{key: _frozen(value) for key, value in row.items()} for row in json.loads(text)[name]]


def _frozen(value: object) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
