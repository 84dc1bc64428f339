"""Walking the protobuf of an .om file within bounds.

A length or number in the file is never believed: every field and every thing that is kept is
counted, so that neither time nor memory grows out of proportion to the file.
"""

from __future__ import annotations

import struct
from typing import Iterator, List, Tuple, Union

from atlas_hpe.protowire import WireError, read_spans, read_varints, to_signed

__all__ = [
    "Budget",
    "DamageError",
    "Message",
    "Value",
    "as_float",
    "as_text",
    "read_text",
    "signed_numbers",
]

# A hundred times what networks of some hundred layers need; walking them takes seconds.
_MAX_FIELDS = 2_000_000
_MAX_THINGS = 20_000
_MAX_TEXT_BYTES = 1 << 16


class DamageError(ValueError):
    """What is wrong with the file, and at which byte."""


class Budget:
    """How much of one file may still be walked and kept."""

    def __init__(self) -> None:
        self._fields = _MAX_FIELDS
        self._things = _MAX_THINGS

    def walk(self) -> None:
        """Count a field.

        Raises:
            DamageError: The file has too many.
        """
        self._fields -= 1
        if self._fields < 0:
            raise DamageError(f"its messages hold more than {_MAX_FIELDS:,} fields")

    def keep(self, what: str) -> None:
        """Count a thing that goes into the summary.

        Args:
            what: What it is, in the plural, for the message.

        Raises:
            DamageError: The file has too many.
        """
        self._things -= 1
        if self._things < 0:
            raise DamageError(
                f"it holds more than {_MAX_THINGS:,} partitions, tensors, axes and operator "
                f"types; the last were {what}"
            )


class Message:
    """A message, or the bytes of a text, and where it begins in the file."""

    __slots__ = ("budget", "start", "view")

    def __init__(self, view: memoryview, start: int, budget: Budget) -> None:
        self.view = view
        self.start = start
        self.budget = budget

    def fields(self) -> Iterator[Tuple[int, Value]]:
        """Field number and value, one after the other.

        Raises:
            DamageError: A length or tag that the bytes do not bear out, or too many fields.
        """
        offset = self.start
        try:
            for number, value, span in read_spans(self.view):
                self.budget.walk()
                offset += len(span)
                if isinstance(value, int):
                    yield number, value
                else:
                    yield number, Message(value, offset - len(value), self.budget)
        except WireError as error:
            raise self.damage(str(error)) from error

    def messages(self, number: int) -> Iterator[Message]:
        """The values of one repeated field.

        Raises:
            DamageError: As for ``fields``, or one of the values is a number.
        """
        for key, value in self.fields():
            if key == number:
                if isinstance(value, int):
                    raise self.damage(f"field {number} is a number where a message is due")
                yield value

    def damage(self, what: str) -> DamageError:
        """The error for something wrong in here."""
        return DamageError(f"in the message that begins at byte {self.start}: {what}")


Value = Union[int, Message]


def as_text(value: Value, what: str) -> str:
    """Text from a field; bytes that are no UTF-8 are replaced.

    Raises:
        DamageError: A number, or more text than a name or a command line is long.
    """
    if isinstance(value, int):
        raise DamageError(f"{what} is a number where text is due")
    if len(value.view) > _MAX_TEXT_BYTES:
        raise value.damage(f"{what} of {len(value.view):,} bytes")
    return read_text(value.view)


def read_text(view: memoryview) -> str:
    """Text from bytes; those that are no UTF-8 are replaced."""
    return bytes(view).decode("utf-8", "replace")


def as_float(bits: int) -> float:
    """A float32 from the bits of a fixed32 field."""
    return float(struct.unpack("<f", struct.pack("<I", bits & 0xFFFFFFFF))[0])


def signed_numbers(value: Value, budget: Budget, what: str) -> List[int]:
    """The numbers of one field of a repeated int64, packed or not.

    Args:
        value: The field.
        budget: Counts each number.
        what: What they are, in the plural, for the message.

    Raises:
        DamageError: Not well-formed, or too many.
    """
    numbers = []
    try:
        for number in read_varints(value if isinstance(value, int) else value.view):
            budget.keep(what)
            numbers.append(to_signed(number))
    except WireError as error:
        raise DamageError(f"in a list of {what}: {error}") from error
    return numbers
