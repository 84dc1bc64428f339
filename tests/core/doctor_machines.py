"""Machines for the examination, built in a folder: boards, laptops, containers."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from atlas_hpe.doctor import Diagnosis, Finding, Machine, Outcome

#: Files belong to whoever runs the tests; the user that is examined is another.
GROUP_NUMBER = os.getgid()
USER_NUMBER = os.getuid() + 1
NPU_SMI = """
+------------------------------------------------------------------------+
| NPU     Name                  | Health          | Power(W)     Temp(C)  |
| Chip    Device                | Bus-Id          | AICore(%)             |
+===============================+=================+=======================+
| 0       {name:<22}| OK              | 12.8         50       |
| 0       0                     | NA              | 0                     |
+===============================+=================+=======================+
"""
ACL_WORKS = Outcome(0, "/usr/local/Ascend/nnrt/latest/python/site-packages/acl.so\n")
NO_ACL = Outcome(
    1, "Traceback (most recent call last):\nModuleNotFoundError: No module named 'acl'"
)


class Programs:
    """What programs answer, by the last part of their name; ``python`` is the import of acl."""

    def __init__(self, **answers: Outcome) -> None:
        python3 = Outcome(0, "Python 3.7.5\n")
        self.answers: Dict[str, Outcome] = {"python": NO_ACL, "python3": python3, **answers}
        self.calls: List[str] = []
        self.environs: Dict[str, Mapping[str, str]] = {}

    def __call__(self, words: Sequence[str], environ: Mapping[str, str], limit_s: float) -> Outcome:
        name = "python" if "-c" in words else Path(words[0]).name
        self.calls.append(name)
        self.environs[name] = environ
        return self.answers[name.replace("-", "_")]


def write(root: Path, name: str, text: str = "", mode: int = 0o644) -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def plain_machine(root: Path, **changes: object) -> Machine:
    """A machine with every Python package, and nothing of Ascend; its files go into ``root``."""
    assert root != Path("/"), "this would write into the real system"
    write(root, "/proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable:    5242880 kB\n")
    write(root, "/etc/group", f"root:x:0:\nHwHiAiUser:x:{GROUP_NUMBER}:someone\n")
    machine = Machine(
        root=root,
        environ={"PATH": ""},
        user="operator",
        uid=USER_NUMBER,
        gids=frozenset([GROUP_NUMBER]),
        python=(3, 7, 5),
        system="Linux",
        processor="aarch64",
        simulated=False,
        has_module=lambda name: not name.startswith("acl"),
        version_of=lambda name: "99.0",
        run=Programs(),
    )
    return replace(machine, **changes)  # type: ignore[arg-type]


def write_driver(root: Path, version: str = "1.0.12.alpha") -> Path:
    write(root, "/usr/local/Ascend/driver/version.info", f"Version={version}\n")
    return write(root, "/usr/local/Ascend/driver/lib64/libascend_hal.so").parent


def write_nodes(root: Path, *names: str, mode: int = 0o660) -> None:
    for name in names or ("davinci0", "davinci_manager"):
        write(root, f"/dev/{name}", mode=mode)


def write_cann(root: Path, kind: str = "nnrt", version: str = "5.0.4.alpha002") -> Path:
    """An installed package; its home."""
    folder = "ascend-toolkit" if kind == "toolkit" else kind
    home = root / "usr/local/Ascend" / folder / "latest"
    record = "ascend_toolkit" if kind == "toolkit" else f"ascend_{kind}"
    write(home, f"aarch64-linux/{record}_install.info", f"package_name=x\nversion={version}\n")
    write(home.parent, "set_env.sh")
    write(home, "lib64/libascendcl.so")
    write(home, "python/site-packages/acl.so")
    (home / "opp").mkdir()
    if kind == "toolkit":
        write(home, "bin/atc", mode=0o755)
        write(home, "runtime/lib64/stub/libascend_hal.so")
    return home


def sourced(home: Path, *libraries: Path) -> Dict[str, str]:
    """The environment after set_env.sh."""
    folders = [home / "lib64", *libraries]
    return {
        "PATH": "",
        "LD_LIBRARY_PATH": ":".join(map(str, folders)),
        "PYTHONPATH": str(home / "python/site-packages"),
        "ASCEND_OPP_PATH": str(home / "opp"),
        "ASCEND_AICPU_PATH": str(home),
    }


def board_200dk(
    root: Path, *, driver: str = "1.0.12.alpha", cann: str = "5.0.4.alpha002"
) -> Machine:
    """An Atlas 200 DK that is set up."""
    libraries = write_driver(root, driver)
    write_nodes(root)
    write(root, "/usr/local/sbin/npu-smi")
    home = write_cann(root, version=cann)
    answers = Programs(python=ACL_WORKS, npu_smi=Outcome(0, NPU_SMI.format(name="310")))
    return plain_machine(root, environ=sourced(home, libraries), run=answers)


def finding(diagnosis: Diagnosis, group: str, name: str) -> Finding:
    (found,) = [
        item
        for part in diagnosis.groups
        if part.name == group
        for item in part.findings
        if item.name == name
    ]
    return found


def verdicts(diagnosis: Diagnosis, group: str) -> Dict[str, str]:
    """Name -> verdict of a group; empty when the group was left out."""
    parts = [part for part in diagnosis.groups if part.name == group]
    return {item.name: item.verdict for part in parts for item in part.findings}


def fix_of(diagnosis: Diagnosis, group: str, name: str) -> Optional[str]:
    return finding(diagnosis, group, name).fix
