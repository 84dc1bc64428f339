"""The equation of an Einsum, read and checked before any node is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

__all__ = ["EinsumEquation", "read_equation"]

_ELLIPSIS = "..."
#: Private letters for the axes of an ellipsis, none of which an equation may contain.
_PRIVATE = "0123456789"


@dataclass(frozen=True)
class EinsumEquation:
    """An equation without ellipsis.

    Attributes:
        terms: One string per operand, a letter per axis.
        output: A letter per axis of the output.
    """

    terms: Tuple[str, ...]
    output: str


def read_equation(equation: str, ranks: Sequence[int]) -> EinsumEquation:
    """Split an equation into terms and spell out its ellipsis and its implicit output.

    Args:
        equation: As in the attribute of the operator, ``"bhqd,bhkd->bhqk"``.
        ranks: Number of axes of each operand.

    Raises:
        ValueError: The equation says something that its operands do not allow.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"'{equation}' has {len(terms)} terms for {len(ranks)} operands")
    spelt, widest = [], 0
    for term, rank in zip(terms, ranks):
        hidden = rank - len(term.replace(_ELLIPSIS, "")) if _ELLIPSIS in term else 0
        # An ellipsis broadcasts from the right, so its last axis always has the same letter.
        spelt.append(term.replace(_ELLIPSIS, _PRIVATE[len(_PRIVATE) - hidden :]))
        widest = max(widest, hidden)
        if len(spelt[-1]) != rank:
            raise ValueError(f"the term '{term}' does not fit {rank} axes")
    ellipsis = _PRIVATE[len(_PRIVATE) - widest :]
    output = right.replace(_ELLIPSIS, ellipsis) if arrow else _implicit_output(spelt, ellipsis)
    _check_output(equation, output, spelt)
    return EinsumEquation(tuple(spelt), output)


def _implicit_output(terms: Sequence[str], ellipsis: str) -> str:
    letters = "".join(terms)
    return ellipsis + "".join(
        letter for letter in sorted(set(letters) - set(ellipsis)) if letters.count(letter) == 1
    )


def _check_output(equation: str, output: str, terms: Sequence[str]) -> None:
    letters = "".join(terms)
    strange: List[str] = [x for x in output if x not in letters or output.count(x) > 1]
    strange += [x for x in letters if not x.isalnum()]
    if strange:
        raise ValueError(f"'{equation}' can't be read at '{strange[0]}'")
