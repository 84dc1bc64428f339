"""A pickle read as symbols: what it would build, without building it.

Every opcode moves symbols on a stack of our own. Nothing is imported, called or allocated by a
number in the file, so this is safe for any input; it serves to look at sizes before PyTorch does.
Source of the opcodes' meaning: the table in Python's ``pickletools``.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Dict, List, Tuple

__all__ = ["Call", "Global", "Stored", "read_symbols"]


@dataclass(frozen=True, eq=False)
class Global:
    """Something that would be imported: ``module name``."""

    name: str


@dataclass(frozen=True, eq=False)
class Call:
    """Something that would be called, or made by its class."""

    function: object
    arguments: object


@dataclass(frozen=True, eq=False)
class Stored:
    """Something that lies outside the pickle, by its id."""

    pid: object


_MARK = object()
_LITERALS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class _Machine:
    """The stack, the memo, and one method per family of opcodes."""

    def __init__(self) -> None:
        self.stack: List[object] = []
        self.memo: Dict[object, object] = {}
        self.stored: List[Stored] = []

    def pop_to_mark(self) -> List[object]:
        items: List[object] = []
        while True:
            item = self.stack.pop()
            if item is _MARK:
                return items[::-1]
            items.append(item)

    def step(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        name = opcode.name
        if name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS"):
            self._extend(name)
        elif name in ("REDUCE", "NEWOBJ"):
            arguments = self.stack.pop()
            self.stack.append(Call(self.stack.pop(), arguments))
        elif name in ("BUILD", "POP"):
            self.stack.pop()
        elif name == "BINPERSID":
            self.stored.append(Stored(self.stack.pop()))
            self.stack.append(self.stored[-1])
        elif not self._push_container(name, argument):
            if opcode.stack_before or len(opcode.stack_after) != 1:
                raise ValueError(f"{name} is not expected")
            self.stack.append(_LITERALS.get(name, argument))

    def _push_container(self, name: str, argument: object) -> bool:
        if name == "MARK":
            self.stack.append(_MARK)
        elif name == "GLOBAL":
            self.stack.append(Global(str(argument)))
        elif name == "TUPLE":
            self.stack.append(tuple(self.pop_to_mark()))
        elif name in ("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[5:]) if name[5:].isdigit() else 0
            items = [self.stack.pop() for _ in range(count)]
            self.stack.append(tuple(items[::-1]))
        elif name in ("EMPTY_LIST", "LIST"):
            self.stack.append(self.pop_to_mark() if name == "LIST" else [])
        elif name == "EMPTY_DICT":
            self.stack.append({})
        else:
            return name in ("PROTO", "FRAME")
        return True

    def _extend(self, name: str) -> None:
        if name.endswith("S"):
            items = self.pop_to_mark()
        else:
            items = [self.stack.pop() for _ in range(2 if name == "SETITEM" else 1)][::-1]
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, dict):
            pairs = zip(items[::2], items[1::2])
            target.update((key, value) for key, value in pairs if isinstance(key, str))


def read_symbols(data: bytes) -> Tuple[object, List[Stored]]:
    """Read one pickle.

    Args:
        data: The pickle, already bounded in size.

    Returns:
        What it would build: numbers, texts, tuples, lists, dictionaries with names as keys, and the
        three symbols; and all that it takes from outside, in order.

    Raises:
        ValueError: No pickle, or one with opcodes that PyTorch's own writers do not use.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return machine.stack.pop(), machine.stored
            machine.step(opcode, argument)
    except (IndexError, KeyError, TypeError, EOFError, OverflowError) as error:
        raise ValueError(f"not a pickle that PyTorch writes: {error!r}") from error
    raise ValueError("the pickle does not end")
