"""``--factory package.module:function``: a network that only the user's own code can build."""

from __future__ import annotations

import importlib
import re
from typing import Optional, Tuple

from torch import nn

from atlas_hpe.errors import UsageError
from atlas_hpe.nets.spec import NetworkSpec
from atlas_hpe_export.inputs.user_code import user_code

__all__ = ["build_from_factory"]

_FORM = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")
_FIX = "run it by itself first: python -c 'import {module}; print({module}.{name})'"


def build_from_factory(factory: str) -> Tuple[nn.Module, Optional[NetworkSpec]]:
    """Import the module, with the working directory in front as ``python -m`` has it, and call.

    Args:
        factory: ``package.module:name``, where the name is a ``NetworkSpec``, or something that
            gives one or an ``nn.Module`` when it is called without arguments: a function, a class.

    Returns:
        The network with fresh weights, and its specification when there is one.

    Raises:
        UsageError: Not of that form, not found, failed, or gave something else.
    """
    match = _FORM.fullmatch(factory)
    where = f"--factory {factory}"
    if match is None:
        raise UsageError(
            "the factory can't be read",
            where=where,
            fix="write it as package.module:function, for example --factory my_nets.pose:build",
        )
    fix = _FIX.format(**match.groupdict())
    with user_code("the factory failed", where=where, fix=fix, kind=UsageError):
        found: object = importlib.import_module(match.group("module"))
        for part in match.group("name").split("."):
            found = getattr(found, part)
        if callable(found) and not isinstance(found, (NetworkSpec, nn.Module)):
            found = found()
        spec = found if isinstance(found, NetworkSpec) else None
        network: object = found if spec is None else spec.build()
    if not isinstance(network, nn.Module):
        raise UsageError(
            "the factory gave no network",
            where=where,
            why=f"it gave a {type(network).__name__}",
            fix="let it return an nn.Module or a NetworkSpec",
        )
    return network, spec
