"""The device's nodes under /dev, and the group that may use them (ascend.md section 8.4)."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import List, Optional, Tuple

from atlas_hpe.doctor.findings import CONTAINER, FAULT, MISSING, OK, WARNING, Finding
from atlas_hpe.doctor.machine import Machine, is_there

__all__ = ["GROUP", "device_nodes", "examine_nodes"]

#: The group that the driver gives its nodes to.
GROUP = "HwHiAiUser"
_NODE = re.compile(r"davinci\d+\Z")
_MANAGER = "davinci_manager"
#: What a card has besides; an Atlas 200 DK has none of them.
_CARD_NODES = ("devmm_svm", "hisi_hdc")
_JOIN = f"sudo usermod -aG {GROUP} $USER, then log in again"


def device_nodes(machine: Machine) -> List[Path]:
    """The nodes of the devices themselves, ``/dev/davinci0`` and on."""
    try:
        return sorted(path for path in machine.path("/dev").iterdir() if _NODE.match(path.name))
    except OSError:
        return []


def examine_nodes(machine: Machine) -> List[Finding]:
    """The group of the user, and the nodes that have to be there."""
    devices = device_nodes(machine)
    folder = machine.path("/dev")
    is_card = machine.processor == "x86_64" or any(is_there(folder / name) for name in _CARD_NODES)
    names = (_MANAGER, *_CARD_NODES) if is_card else (_MANAGER,)
    wanted = [*(devices or [folder / "davinci0"]), *(folder / name for name in names)]
    lacking = [path for path in wanted if not is_there(path)]
    refused = [path for path in wanted if is_there(path) and not machine.may_use(path)]
    group = _examine_group(machine, is_needed=bool(refused))
    if lacking:
        text = f"there is no {_list(lacking)}"
        return [group, Finding("device nodes", MISSING, text, _bring(machine, lacking))]
    if refused:
        text = f"this user may not read and write {_list(refused)}"
        return [group, Finding("device nodes", FAULT, text, group.fix or _open_up(refused))]
    return [group, Finding("device nodes", OK, _list(wanted))]


def _bring(machine: Machine, lacking: List[Path]) -> str:
    if machine.in_container():
        return CONTAINER + " ".join(f"--device {path}" for path in lacking)
    return "install driver and firmware, restart the machine, then: npu-smi info"


def _open_up(refused: List[Path]) -> str:
    names = " ".join(map(str, refused))
    return f"sudo chgrp {GROUP} {names} && sudo chmod g+rw {names}"


def _examine_group(machine: Machine, *, is_needed: bool) -> Finding:
    if machine.uid == 0:
        return Finding("group", OK, "root needs none")
    number, members = _read_group(machine)
    if number is not None and number in machine.gids:
        return Finding("group", OK, f"in {GROUP}")
    text = f"this user is not in {GROUP}"
    if not is_needed:
        return Finding("group", WARNING, f"{text}, which the device nodes do not ask for", _JOIN)
    if machine.in_container():
        fix = f"{CONTAINER}--group-add $(getent group {GROUP} | cut -d: -f3)"
        return Finding("group", MISSING, text, fix)
    if number is None:
        return Finding("group", MISSING, f"there is no group {GROUP}", "install the driver package")
    if machine.user in members:
        return Finding("group", MISSING, f"{text} since this log-in", "log in again")
    return Finding("group", MISSING, text, _JOIN)


def _read_group(machine: Machine) -> Tuple[Optional[int], List[str]]:
    """Number and members of the group, (None, []) when there is none."""
    with suppress(OSError):
        text = machine.path("/etc/group").read_text(encoding="utf-8", errors="replace")
        found = re.search(rf"^{GROUP}:[^:]*:(\d+):(.*)$", text, re.MULTILINE)
        if found:
            return int(found.group(1)), found.group(2).split(",")
    return None, []


def _list(paths: List[Path]) -> str:
    return ", ".join(map(str, paths))
