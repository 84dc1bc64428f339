"""Chips: their names, the products that have them, and what they can do."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from atlas_hpe.errors import UsageError
from atlas_hpe.targets.catalogue import read_table

__all__ = ["DEFAULT_SOC", "SOCS", "Soc", "Target", "find_soc", "find_target"]

DEFAULT_SOC = "Ascend310"
_NEAR = 5
_SHOWN = 80


@dataclass(frozen=True)
class Soc:
    """A chip. None wherever the sources don't say.

    Attributes:
        name: soc_version of atc, and name in ``--soc``, ``--target`` and the card.
        aliases: Other names that mean this chip and no other.
        products: Boards and cards that have it. A product that comes with one of several chips is
            listed with each of them.
        generation: The family, for example ``"Ascend 310P"``. An .om is bound to it.
        ai_cores: Number of AI cores.
        memory_mb: Memory of the developer kit with this chip, MiB, shared with its own system.
        fp16_tflops: Peak of the matrix units.
        int8_tops: Peak of the matrix units.
        opset: ONNX opset of the default domain that ``atlas-hpe export`` writes. None: no opset
            is known that all releases for the chip take, and export does not lower for it.
        ir_version: Version of the ONNX file format that goes with it.
        aipp_formats: ``input_format`` values of the chip's AIPP unit.
        note: What else is to be known.
        source: Where this is from.
    """

    name: str
    aliases: Tuple[str, ...]
    products: Tuple[str, ...]
    generation: str
    ai_cores: Optional[int]
    memory_mb: Optional[int]
    fp16_tflops: Optional[float]
    int8_tops: Optional[float]
    opset: Optional[int]
    ir_version: Optional[int]
    aipp_formats: Optional[Tuple[str, ...]]
    note: Optional[str]
    source: str


@dataclass(frozen=True)
class Target:
    """A chip that ``atlas-hpe export`` can write for.

    Attributes:
        name: soc_version of atc.
        opset: ONNX opset of the default domain. atc looks operators up by the model's own opset and
            has no fallback to an older one (ascend.md section 3.6).
        ir_version: Version of the ONNX file format.
    """

    name: str
    opset: int
    ir_version: int


#: Name -> chip.
SOCS: Dict[str, Soc] = {
    soc.name: soc
    for soc in (Soc(**row) for row in read_table("socs"))  # type: ignore[arg-type]
}


def find_soc(name: str, *, option: str = "--soc") -> Soc:
    """The chip of that name.

    Args:
        name: Name, alias, or a product with this chip: ``"Ascend310"``, ``"310"``, ``"Atlas 200
            DK"``. Case, spaces, hyphens and underscores don't count.
        option: Where the name comes from, for the message.

    Raises:
        UsageError: No chip is known by that name, or several are.
    """
    wanted = _plain(name)
    found = _named(wanted)
    if len(found) == 1:
        return found[0]
    if found:
        notes = {soc.note for soc in found}
        raise UsageError(
            f"'{name}' stands for several chips",
            where=option,
            why=notes.pop() if len(notes) == 1 else None,
            fix=f"see `npu-smi info`, and give one of: {', '.join(soc.name for soc in found)}",
        )
    raise UsageError(
        f"no chip is known as '{name[:_SHOWN]}'",
        where=option,
        why="a name is a value of atc's --soc_version, or a product that is known to have the chip",
        fix="choose one of: " + ", ".join(_near(wanted) or SOCS),
    )


def find_target(name: str, *, option: str = "--target") -> Target:
    """The chip of that name, with what export has to write for it.

    Args:
        name: As for :func:`find_soc`.
        option: Where the name comes from, for the message.

    Raises:
        UsageError: No such chip, or one that export does not know what to write for.
    """
    soc = find_soc(name, option=option)
    if soc.opset is None or soc.ir_version is None:
        raise UsageError(
            f"export does not know what to write for {soc.name}",
            where=option,
            why="no source says which ONNX opset all releases of CANN for it take",
            fix="choose one of: " + ", ".join(s.name for s in SOCS.values() if s.opset is not None),
        )
    return Target(soc.name, soc.opset, soc.ir_version)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).lower()


def _named(plain: str) -> List[Soc]:
    """Chips of that name or alias; else those of a product; else those of a generation."""
    for names in (_own_names, lambda soc: soc.products, _family_names):
        found = [soc for soc in SOCS.values() if plain in map(_plain, names(soc))]
        if found:
            return found
    return []


def _own_names(soc: Soc) -> Tuple[str, ...]:
    return (soc.name, *soc.aliases)


def _family_names(soc: Soc) -> Tuple[str, ...]:
    return (soc.generation, soc.generation.partition(" ")[2])


def _near(plain: str) -> List[str]:
    """Known names that are spelled much like that, in the order of the catalogue."""
    known = {
        _plain(text): text for soc in SOCS.values() for text in (*_own_names(soc), *soc.products)
    }
    near = difflib.get_close_matches(plain, known, n=_NEAR)
    return [text for key, text in known.items() if key in near]
