"""Attributes of models, operators and tensors, with plain and with compressed names.

Source: ascend.md sections 6.3 and 6.4; that ``attrs_use_string_value`` holds one flag per name is
from GE's model_compress_manager.cc.
"""

from __future__ import annotations

import math
from array import array
from typing import Container, Dict, List, Optional, Tuple

from atlas_hpe.om_file.message import (
    Message,
    Value,
    as_float,
    as_text,
    read_text,
    signed_numbers,
)
from atlas_hpe.om_file.spec import AippValue
from atlas_hpe.protowire import to_signed

__all__ = ["Attribute", "Names", "TextList", "read_attributes"]

# Fields of AttrDef; ListValue has its texts, numbers and flags under the same numbers.
_LIST, _TEXT, _NUMBER, _FLOAT, _FLAG, _FUNC = 1, 2, 3, 4, 5, 10
_BASE = 127
_MAX_DIGITS = 5  # more than any list has entries
_MAX_NAME_BYTES = 4096


class TextList:
    """A repeated text of which single entries are wanted: only their places are kept."""

    def __init__(self, values: Optional[Message] = None) -> None:
        self._values = values
        self._places = array("Q")  # offset and length, one pair per entry
        for item in () if values is None else values.messages(_TEXT):
            self._places.append(item.start)
            self._places.append(len(item.view))

    def get(self, index: int) -> Optional[str]:
        """Entry ``index``; None when there is none, or when it is too long for a name."""
        if self._values is None or not 0 <= index < len(self._places) // 2:
            return None
        start, size = self._places[2 * index : 2 * index + 2]
        if size > _MAX_NAME_BYTES:  # may be asked for again and again
            return None
        offset = start - self._values.start
        return read_text(self._values.view[offset : offset + size])


class Names:
    """The tables that compressed attributes are looked up in (CANN 7 and 8).

    Args:
        names: List of the attributes' names.
        texts: List of the texts that they have as values.
        uses_text: A flag per name: its value is an index into ``texts``.
    """

    def __init__(
        self,
        names: Optional[Message] = None,
        texts: Optional[Message] = None,
        uses_text: Optional[Message] = None,
    ) -> None:
        self._names = TextList(names)
        self._texts = TextList(texts)
        self._uses_text = bytearray()
        for number, value in () if uses_text is None else uses_text.fields():
            if number == _FLAG:  # a flag is one byte, packed or not
                self._uses_text += bytes([value != 0]) if isinstance(value, int) else value.view

    def index_of(self, key: Value) -> Optional[int]:
        """The index that a compressed key stands for; None for a plain one."""
        if isinstance(key, int) or not 1 < len(key.view) <= _MAX_DIGITS + 1 or key.view[0] != 0:
            return None
        digits = bytes(key.view[1:])
        index = 0
        for digit in reversed(digits):
            index = index * _BASE + digit - 1
        return index

    def name_of(self, key: Value) -> Optional[str]:
        """The plain name of an attribute; None when the table has none."""
        index = self.index_of(key)
        return as_text(key, "an attribute's name") if index is None else self._names.get(index)

    def text_of(self, key: Value, number: int) -> Optional[str]:
        """The text that the number stands for, where the attribute's value is a text."""
        index = self.index_of(key)
        if index is None or not 0 <= index < len(self._uses_text) or not self._uses_text[index]:
            return None
        return self._texts.get(number)


class Attribute:
    """One attribute: its value is read as what the caller expects, or is None or empty."""

    __slots__ = ("_definition", "_key", "_names")

    def __init__(self, key: Value, definition: Message, names: Names) -> None:
        self._key = key
        self._definition = definition
        self._names = names

    def _find(self, number: int) -> Optional[Value]:
        found = None
        for key, value in self._definition.fields():
            if key == number:
                found = value
        return found

    @property
    def values(self) -> Optional[Message]:
        """Its ListValue."""
        found = self._find(_LIST)
        return None if isinstance(found, int) else found

    def text(self) -> Optional[str]:
        """Its text."""
        found = self._find(_TEXT)
        if found is not None:
            return as_text(found, "the text of an attribute")
        number = self.number()
        return None if number is None else self._names.text_of(self._key, number)

    def number(self) -> Optional[int]:
        """Its integer."""
        found = self._find(_NUMBER)
        return to_signed(found) if isinstance(found, int) else None

    def numbers(self) -> List[int]:
        """Its list of integers."""
        found: List[int] = []
        values = self.values
        for key, value in () if values is None else values.fields():
            if key == _NUMBER:
                found += signed_numbers(value, self._definition.budget, "axes")
        return found

    def texts(self) -> TextList:
        """Its list of texts."""
        return TextList(self.values)

    def settings(self) -> Dict[str, AippValue]:
        """The numbers, flags and texts of its NamedAttrs (name 1, map 2), as AIPP has them."""
        func = self._find(_FUNC)
        found: Dict[str, AippValue] = {}
        for entry in () if func is None or isinstance(func, int) else func.messages(2):
            name, value = _read_setting(entry)
            if value is not None:
                entry.budget.keep("AIPP settings")
                found[name] = value
        return found


def _read_setting(entry: Message) -> Tuple[str, Optional[AippValue]]:
    name = ""
    setting: Optional[AippValue] = None
    for number, value in entry.fields():
        if number == 1:
            name = as_text(value, "the name of an AIPP setting")
        elif number == 2 and not isinstance(value, int):
            for kind, item in value.fields():
                if kind == _TEXT:
                    setting = as_text(item, "an AIPP setting")
                elif kind in (_NUMBER, _FLAG, _FLOAT) and isinstance(item, int):
                    setting = _scalar(kind, item)
    return name, setting


def _scalar(kind: int, value: int) -> AippValue:
    if kind == _NUMBER:
        return to_signed(value)
    if kind == _FLAG:
        return value != 0
    number = as_float(value)
    return number if math.isfinite(number) else str(number)  # JSON has no infinity


def read_attributes(
    message: Message, number: int, wanted: Container[str], names: Optional[Names] = None
) -> Dict[str, Attribute]:
    """The wanted attributes of a model, an operator or a tensor.

    Args:
        message: What has the map of attributes.
        number: Its field that holds the map.
        wanted: Plain names.
        names: Tables for compressed names, None where there are none.

    Raises:
        DamageError: The message is not well-formed.
    """
    found, names = {}, names or Names()
    for entry in message.messages(number):
        key: Optional[Value] = None
        definition: Optional[Value] = None
        for part, value in entry.fields():
            if part == 1:
                key = value
            elif part == 2:
                definition = value
        if key is None or definition is None or isinstance(definition, int):
            continue
        name = names.name_of(key)
        if name is not None and name in wanted:
            found[name] = Attribute(key, definition, names)
    return found
