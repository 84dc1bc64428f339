"""Which ONNX operators atc takes for a chip, per CANN release, and where the chip runs them.

The facts are data: ``operators_ascend310.json``, whose ``_meta`` says how it was derived and from
what. What counts as registered depends on the release, and no public source is exactly a release
for the Atlas 200 DK (ascend.md sections 3.6 and 11):

- "5.0" stands for CANN 5.0.4. Its document lists operators for opsets 9 to 13 without telling them
  apart. So an operator counts as registered at those opsets of 9 to 13 at which the source of June
  2022 has it too (or at all five, when that source does not know it), if the document lists it;
  and at those that the source of February 2021 registers. Earlier 5.0 releases took little but 11.
- "5.1" stands for 5.1.RC2: the source of June 2022 was written shortly after it.
- "6.0" is the last line that serves the board. The source of June 2022 is the nearest one before
  it, so it answers for 6.0 too, with opsets 8 to 15. The document of 6.0.1 names opset 11 alone:
  other opsets are pointed out, not refused.

"Not registered" therefore means "not in the nearest public source".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Dict, FrozenSet, List, Mapping, Optional, Set, Tuple, Union

from atlas_hpe.errors import UsageError
from atlas_hpe.targets import find_soc, find_target

__all__ = [
    "DYNAMIC",
    "HIGHEST_LOWERED_OPSET",
    "LOWERED",
    "OperatorEntry",
    "OperatorTable",
    "load_operators",
]

#: A list of element types that the kernel makes when atc runs; it is not published.
DYNAMIC = "dynamic"

#: Where the ladder of lowering begins.
HIGHEST_LOWERED_OPSET = 21

#: Operators that came after opset 11 and that lowering says in older ones.
LOWERED: FrozenSet[str] = frozenset(
    {
        "AffineGrid",
        "CastLike",
        "Celu",
        "CenterCropPad",
        "Col2Im",
        "Einsum",
        "Gelu",
        "GreaterOrEqual",
        "GridSample",
        "GroupNormalization",
        "HardSwish",
        "LayerNormalization",
        "LessOrEqual",
        "Mish",
        "Trilu",
    }
)

_FILES = {"Ascend310": "operators_ascend310.json"}
_DOCUMENTED_5_0 = frozenset(range(9, 14))


@dataclass(frozen=True)
class OperatorEntry:
    """One ONNX operator on one chip.

    Attributes:
        name: ONNX operator type.
        supported: Whether the sources of mid-2022 know it, None where they can't be read.
        registered: CANN release -> opsets at which its parser finds the operator.
        newest: Opsets at which the plugins of August 2026 have it; for messages only.
        kernels: Operator of the Ascend IR -> engines that have it (``"AI Core"``, ``"AI CPU"``,
            ``"GE local"``), none when it is in no list.
        dtypes: ``"in0"``, ``"in1"``, ``"out0"`` -> element types that the AI Core kernels declare
            there, or ``DYNAMIC``; absent where they are not known.
        resolved: How an IR operator without a kernel is replaced before kernels are chosen; None
            when no source says that it is.
        confidence: ``"high"``, ``"medium"`` or ``"low"``.
        note: What else the sources say, None when nothing.
    """

    name: str
    supported: Optional[bool]
    registered: Mapping[str, FrozenSet[int]]
    newest: FrozenSet[int]
    kernels: Mapping[str, FrozenSet[str]]
    dtypes: Mapping[str, FrozenSet[str]]
    resolved: Optional[str]
    confidence: str
    note: Optional[str]

    @property
    def engines(self) -> FrozenSet[str]:
        """Engines that have a kernel for any of the IR operators."""
        return frozenset().union(*self.kernels.values()) if self.kernels else frozenset()

    @property
    def cpu_kernels(self) -> Tuple[str, ...]:
        """IR operators that only the AI CPU has."""
        return tuple(name for name, on in self.kernels.items() if on == {"AI CPU"})

    @property
    def missing_kernels(self) -> Tuple[str, ...]:
        """IR operators that no engine has and that no known pass replaces."""
        if self.resolved is not None:
            return ()
        return tuple(name for name, on in self.kernels.items() if not on)


@dataclass(frozen=True)
class OperatorTable:
    """All operators of one chip.

    Attributes:
        soc: soc_version of atc.
        target_opset: Opset that ``atlas-hpe export`` writes for it, which every release takes.
        releases: CANN releases, the newest last.
        official: CANN release -> opsets that its document names; absent where it names none.
        operators: ONNX operator type -> entry.
    """

    soc: str
    target_opset: int
    releases: Tuple[str, ...]
    official: Mapping[str, FrozenSet[int]]
    operators: Mapping[str, OperatorEntry]

    def registered_opsets(self, operator: str, cann: str) -> FrozenSet[int]:
        """Opsets at which the release's parser finds an operator; none for an unknown one."""
        entry = self.operators.get(operator)
        return frozenset() if entry is None else entry.registered[cann]


def load_operators(soc: str, cann: str) -> OperatorTable:
    """The table of a chip.

    Args:
        soc: Name of a chip, as :func:`atlas_hpe.targets.find_soc` takes it.
        cann: Release that is asked about; only checked here.

    Raises:
        UsageError: No such chip, or no table of that chip and release.
    """
    name = find_soc(soc).name
    if name not in _FILES:
        raise UsageError(
            f"there is no table of the operators that {name} takes",
            where="--soc",
            why="no public source lists them",
            fix="choose one of: " + ", ".join(_FILES),
        )
    table = _read_table(name)
    if cann not in table.releases:
        raise UsageError(
            f"there are no facts about CANN '{cann}' for {name}",
            where="--cann",
            fix="choose one of: " + ", ".join(table.releases),
        )
    return table


@lru_cache(maxsize=None)
def _read_table(soc: str) -> OperatorTable:
    data = json.loads(Path(__file__).with_name(_FILES[soc]).read_text(encoding="utf-8"))
    kernels = {name: _names(engines) - {"none"} for name, engines in data["kernels"].items()}
    return OperatorTable(
        soc=soc,
        target_opset=find_target(soc).opset,
        releases=tuple(sorted(data["releases"])),
        official={
            name: _opsets(release["official"])
            for name, release in data["releases"].items()
            if "official" in release
        },
        operators={name: _entry(name, row, kernels) for name, row in data["operators"].items()},
    )


Row = Mapping[str, Union[bool, str, List[str], Dict[str, str], None]]


def _entry(name: str, row: Row, kernels: Mapping[str, FrozenSet[str]]) -> OperatorEntry:
    opsets = {key: _opsets(text) for key, text in _dict(row, "opsets").items()}
    supported, documented, ir = row["supported"], row.get("documented"), row.get("ir")
    latest = opsets.get("2022-06", frozenset())
    early = opsets.get("2021-02", frozenset())
    if isinstance(documented, list) and "5.0.4" in documented:
        early |= _DOCUMENTED_5_0 & latest if latest else _DOCUMENTED_5_0
    return OperatorEntry(
        name=name,
        supported=supported if isinstance(supported, bool) else None,
        registered={"5.0": early, "5.1": latest, "6.0": latest},
        newest=opsets.get("2026-08", frozenset()),
        kernels={item: kernels[item] for item in ir} if isinstance(ir, list) else {},
        dtypes={key: _names(text) for key, text in _dict(row, "dtypes").items()},
        resolved=_text(row, "resolved"),
        confidence=_text(row, "confidence") or "low",
        note=_text(row, "note"),
    )


def _dict(row: Row, key: str) -> Mapping[str, str]:
    value = row.get(key)
    return value if isinstance(value, dict) else {}


def _text(row: Row, key: str) -> Optional[str]:
    value = row.get(key)
    return value if isinstance(value, str) else None


def _names(text: str) -> FrozenSet[str]:
    """``"AI Core, AI CPU"`` as a set."""
    return frozenset(item.strip() for item in text.split(","))


def _opsets(text: str) -> FrozenSet[int]:
    """``"1,8-15"`` as a set of numbers."""
    found: Set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
