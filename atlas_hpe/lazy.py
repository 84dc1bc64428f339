"""Public names that are loaded when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from typing import Callable, Mapping, Optional

__all__ = ["ExplainMissing", "lazy_attributes"]

#: What Python says of a module that is not there -> the error to raise in its place, None to raise
#: it as it is.
ExplainMissing = Callable[[ModuleNotFoundError], Optional[BaseException]]


def lazy_attributes(
    package: str, homes: Mapping[str, str], *, explain_missing: Optional[ExplainMissing] = None
) -> Callable[[str], object]:
    """The ``__getattr__`` of a package whose public names live in other modules.

    Args:
        package: ``__name__`` of the package.
        homes: Public name -> module that defines it.
        explain_missing: What to raise when a library that the module needs is not installed.

    Returns:
        A function that loads a name and keeps it in the package.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        try:
            module = importlib.import_module(homes[name])
        except ModuleNotFoundError as error:
            explained = None if explain_missing is None else explain_missing(error)
            if explained is None:
                raise
            raise explained from error
        value: object = getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return load
