"""``--input-shape 1,3,256,256`` or ``image:1,3,256,256``: the sizes that a file does not say.

The form is that of atc's ``--input_shape``; the name is whatever stands before the last colon,
because TensorFlow's names hold colons too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor

from atlas_hpe.errors import UsageError

__all__ = [
    "InputShape",
    "Shape",
    "check_same_shapes",
    "make_examples",
    "match_shapes",
    "parse_input_shapes",
]

Shape = Tuple[int, ...]

_OPTION = "--input-shape"
_DIMS = re.compile(r"[1-9]\d{0,9}(,[1-9]\d{0,9})*", re.ASCII)
_MAX_RANK = 8
_MAX_BYTES = 1 << 30  # a batch of one hundred 1024x1024 pictures


@dataclass(frozen=True)
class InputShape:
    """One shape as the user gave it.

    Attributes:
        name: Name of the input, None for "the next one".
        shape: Its sizes.
    """

    name: Optional[str]
    shape: Shape


def parse_input_shapes(texts: Sequence[str]) -> Tuple[InputShape, ...]:
    """Read the option, once per input.

    Raises:
        UsageError: Not of the form, a name twice, or some with a name and some without.
    """
    shapes = tuple(_parse(text) for text in texts)
    names = [item.name for item in shapes]
    if None in names and any(names):
        raise UsageError(
            "some input shapes have a name and some have none", where=_OPTION, fix="name them all"
        )
    if any(names) and len(set(names)) != len(names):
        raise UsageError("two shapes are given for the same input", where=_OPTION)
    return shapes


def _parse(text: str) -> InputShape:
    name, _, dims = text.rpartition(":")
    sizes = tuple(int(dim) for dim in dims.split(",")) if _DIMS.fullmatch(dims) else ()
    if not 0 < len(sizes) <= _MAX_RANK:
        raise UsageError(
            "an input shape can't be read",
            where=f"{_OPTION} {text}",
            why=f"expected up to {_MAX_RANK} positive sizes with commas between them",
            fix=f"for example: {_OPTION} 1,3,256,256 or {_OPTION} image:1,3,256,256",
        )
    return InputShape(name or None, sizes)


def match_shapes(
    shapes: Sequence[InputShape], names: Sequence[str], *, least: Optional[int] = None
) -> Tuple[Shape, ...]:
    """Put the shapes into the order of the inputs.

    Args:
        shapes: What the user gave.
        names: The inputs, in order.
        least: How many of them need a value; None for all.

    Returns:
        A shape for each of the first inputs; the rest keep their defaults.

    Raises:
        UsageError: A name that is no input, or too few or too many shapes.
    """
    if not shapes:
        raise UsageError(
            "the file does not say how large its inputs are",
            why="inputs: " + ", ".join(names),
            fix=f"give {_OPTION} once for each, for example: {_OPTION} 1,3,256,256",
        )
    strangers = [item.name for item in shapes if item.name is not None and item.name not in names]
    if strangers:
        raise UsageError(
            f"there is no input '{strangers[0]}'",
            where=_OPTION,
            fix="the inputs are: " + ", ".join(names),
        )
    given = {item.name or names[i]: item.shape for i, item in enumerate(shapes[: len(names)])}
    needed = len(names) if least is None else least
    if not needed <= len(shapes) <= len(names) or set(given) != set(names[: len(given)]):
        raise UsageError(
            f"{len(shapes)} input shapes do not fit the inputs",
            where=_OPTION,
            why="in order, the inputs are: " + ", ".join(names),
            fix=f"give {_OPTION} once for each of the first {needed}",
        )
    return tuple(given[name] for name in names if name in given)


def make_examples(
    shapes: Sequence[Shape], dtypes: Sequence[torch.dtype] = ()
) -> Tuple[Tensor, ...]:
    """Zeros of these shapes on the CPU, float32 unless said otherwise.

    Raises:
        UsageError: Together they would take more memory than any input of a network does.
    """
    dtypes = dtypes or [torch.float32] * len(shapes)
    total = 0
    for shape, dtype in zip(shapes, dtypes):
        size = torch.empty((), dtype=dtype).element_size()
        for dim in shape:
            size *= dim
        total += size
    if total > _MAX_BYTES:
        raise UsageError(
            "the inputs are larger than any network's",
            why=f"they take {total} bytes, {_MAX_BYTES} are allowed",
            fix=f"check {_OPTION}",
        )
    return tuple(torch.zeros(shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes))


def check_same_shapes(
    given: Sequence[InputShape], names: Sequence[str], fixed: Sequence[Shape], why: str
) -> None:
    """Refuse shapes that contradict those which are fixed.

    Args:
        given: What the user gave; nothing is fine.
        names: The inputs, in order.
        fixed: Their shapes.
        why: What fixes them, for the message.

    Raises:
        UsageError: They differ.
    """
    if given and match_shapes(given, names) != tuple(fixed):
        shown = "; ".join(
            f"{name}:{','.join(str(dim) for dim in shape)}" for name, shape in zip(names, fixed)
        )
        raise UsageError(
            "the input shapes can't be chosen here",
            where=_OPTION,
            why=f"{why}: {shown}",
            fix=f"leave out {_OPTION}",
        )
