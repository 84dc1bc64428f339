"""The network comes out of an export as it went in, whatever happened in between."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Tuple

import torch
from torch import Tensor, nn

from atlas_hpe.errors import CheckFailedError

__all__ = ["unchanged"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_state_dict_hooks")


@dataclass(frozen=True, eq=False)
class _Snapshot:
    tensors: Mapping[str, Tuple[Tensor, Tensor]]  # the tensor itself, a copy of its values
    modes: Mapping[str, bool]
    hooks: Mapping[Tuple[str, str], Dict[int, object]]


@contextlib.contextmanager
def unchanged(network: nn.Module) -> Iterator[None]:
    """Hold a network in eval mode; afterwards it is as before in all that belongs to it.

    PyTorch's TorchScript exporter restores modes with a recursive ``train(True)`` (networks.md
    section 1), so all parts show it the mode that it wants. Parameters, buffers and hooks are put
    back too: a ``forward`` that writes to its buffers runs during an export.

    Raises:
        CheckFailedError: The block ended well, but parameters, buffers or hooks had been changed.
    """
    before = _take(network)
    changed: List[str] = []
    try:
        for part in network.modules():
            part.training = False  # one by one: train() of a part may do something else
        yield
    finally:
        changed = _put_back(network, before)
    if changed:
        raise CheckFailedError(
            "the network changed while it was exported",
            where=", ".join(changed[:3]),
            why=f"{len(changed)} of its parts had to be put back as they were",
            fix="make forward free of side effects: it must not write to its buffers",
        )


def _take(network: nn.Module) -> _Snapshot:
    return _Snapshot(
        {name: (tensor, tensor.detach().clone()) for name, tensor in _tensors(network).items()},
        {name: part.training for name, part in _parts(network).items()},
        {
            (name, kind): dict(getattr(part, kind, {}))
            for name, part in _parts(network).items()
            for kind in _HOOKS
        },
    )


def _put_back(network: nn.Module, before: _Snapshot) -> List[str]:
    changed: List[str] = []
    parts, tensors = _parts(network), _tensors(network)
    for name, (tensor, value) in before.tensors.items():
        found = tensors.get(name)
        if found is None or not _same(found, value):
            changed.append(f"'{name}'")
            with torch.no_grad():
                tensor.copy_(value)
            owner, _, leaf = name.rpartition(".")
            setattr(parts[owner], leaf, tensor)
    for name, training in before.modes.items():
        parts[name].training = training
    for (name, kind), hooks in before.hooks.items():
        found_hooks = getattr(parts[name], kind, {})
        if dict(found_hooks) != hooks:
            changed.append(f"hooks of '{name}'")
            found_hooks.clear()
            found_hooks.update(hooks)
    return changed


def _parts(network: nn.Module) -> Dict[str, nn.Module]:
    return dict(network.named_modules(remove_duplicate=False))


def _tensors(network: nn.Module) -> Dict[str, Tensor]:
    """Buffers that are not saved are in it too, unlike in the state dict."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())
