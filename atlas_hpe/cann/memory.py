"""Whether there is the memory that atc asks for (ascend.md section 3.4)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, Optional, Tuple

from atlas_hpe.errors import DeviceError

__all__ = ["NEEDED_KB", "available_kb", "check_memory"]

#: atc refuses to start with less.
NEEDED_KB = 2097152


def check_memory(root: Path = Path("/")) -> None:
    """Refuse before atc does, with what to do about it.

    Raises:
        DeviceError: Less than 2 GB is available here.
    """
    kilobytes, limit = available_kb(root)
    if kilobytes is not None and kilobytes < NEEDED_KB:
        raise DeviceError(
            "there is not enough free memory for atc",
            where=limit,
            why=f"{kilobytes / 2**20:.1f} GB are available, atc refuses to start below 2 GB",
            fix="close other programs, add swap, raise the limit, or convert on another machine",
        )


def available_kb(root: Path = Path("/")) -> Tuple[Optional[int], str]:
    """Memory that a new program can have, in kB, and what sets that limit.

    None where the system does not tell: atc looks for itself.
    """
    found: List[Tuple[int, str]] = []
    machine = re.search(r"^MemAvailable:\s*(\d+) kB", _read(root / "proc/meminfo"), re.MULTILINE)
    if machine is not None:
        found.append((int(machine.group(1)), "memory of this machine"))
    groups = root / "sys/fs/cgroup"
    for folder, limit_name, used_name in (
        (groups, "memory.max", "memory.current"),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, used = _read(folder / limit_name).strip(), _read(folder / used_name).strip()
        if not (limit.isdigit() and used.isdigit()):  # "max" is no limit
            continue
        # Files that were read or written lately count as used, and give way.
        statistics = _read(folder / "memory.stat")
        idle = re.search(r"^(?:total_)?inactive_file (\d+)$", statistics, re.MULTILINE)
        left = int(limit) - int(used) + (0 if idle is None else int(idle.group(1)))
        found.append((max(left, 0) // 1024, "memory limit of this container (cgroup)"))
    return min(found) if found else (None, "unknown")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
