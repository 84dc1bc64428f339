"""What a pickle would import, told by its opcodes; nothing is imported and nothing is called."""

from __future__ import annotations

import io
import pickletools
import re
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Pattern, Tuple

from atlas_hpe_export.inputs.zip_archive import damaged

__all__ = ["HARMLESS", "MAX_PICKLE_BYTES", "find_foreign_imports"]

#: The pickle of a checkpoint lists names and shapes: 100 kB for a thousand tensors.
MAX_PICKLE_BYTES = 8 << 20

#: Everything a dictionary of tensors needs from Python.
HARMLESS = re.compile(
    r"collections (OrderedDict|Counter)"
    r"|torch \w+Storage"
    r"|torch (Size|device|Tensor|b?float\d+|complex\d+|u?int\d+|bool)"
    r"|torch\.storage (Untyped|Typed)Storage"
    r"|torch\._utils _rebuild_\w+"
    r"|torch\._tensor _rebuild_from_type_v2"
    r"|torch\.nn\.parameter Parameter"
    r"|torch\.serialization _get_layout"
    r"|_codecs encode"
)


def find_foreign_imports(
    path: Path, data: bytes, *, count: int = 1, harmless: Pattern[str] = HARMLESS
) -> Tuple[str, ...]:
    """The names that a pickle asks for beyond the harmless ones, in order, each once.

    Args:
        path: File of the pickle, for messages.
        data: The pickle, or several in a row.
        count: How many follow each other.
        harmless: Pattern of ``module name`` pairs that are allowed.

    Raises:
        CheckpointError: The pickle can't be followed to its end.
    """
    stream = io.BytesIO(data)
    found: Dict[str, None] = {}
    try:
        for _ in range(count):
            for name in _imports_of(stream):
                if not harmless.fullmatch(name):
                    found[name.replace(" ", ".", 1)] = None
    except (ValueError, EOFError, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise damaged(path, f"its pickle can't be followed ({error})") from error
    return tuple(found)


def _imports_of(stream: BinaryIO) -> Iterator[str]:
    """The ``module name`` pairs that one pickle would import."""
    texts: List[str] = []
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif opcode.name == "STACK_GLOBAL":
            # Protocol 4 takes the names from the stack; the last two texts are nearly always they.
            yield " ".join(texts[-2:]) + " (pickle protocol 4)"
        elif opcode.name in ("EXT1", "EXT2", "EXT4"):
            yield "copyreg extension"
        elif isinstance(argument, str):
            texts = [*texts[-1:], argument]
