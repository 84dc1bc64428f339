"""Module by module: what a PyTorch network computes against the graph that came from it."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.parity.intermediates import (
    NodeTensor,
    group_tensors,
    list_tensors,
    run_tensors,
)
from atlas_hpe_export.parity.layers import LayerParity, LayerReport, compare_arrays

__all__ = ["compare_modules"]

#: TorchScript's exporter writes the second call of "pool" as "pool_1".
_LATER_CALL = re.compile(r"_\d+(?=\.|$)")

#: Path of a module and how often it was called before.
Key = Tuple[str, int]
OnCall = Callable[[Key, nn.Module, Tuple[object, ...], object], None]


@dataclass(frozen=True)
class _Call:
    """One call of a module that has no parts.

    Attributes:
        key: Which one.
        kind: Class of the module.
        shape: Of what it returned; None when that is no tensor.
        folds: The call before this one, when this is its batch norm.
    """

    key: Key
    kind: str
    shape: Optional[Tuple[int, ...]]
    folds: Optional[Key]


def compare_modules(module: nn.Module, model: onnx.ModelProto, feeds: Feeds) -> LayerReport:
    """Compare what each leaf module returns with the tensor of the graph that should be the same.

    That is the output of the last node under the module's path that has the same shape; a module
    that is called several times shares its nodes out evenly, in order. Where a batch norm left no
    node it was folded into the convolution before it, whose tensor then is the batch norm's; the
    convolution alone has none, and is left out.

    Args:
        module: In eval mode.
        model: A graph of it whose node names carry module paths.
        feeds: Input name -> array; the graph's inputs are those of ``forward``, in order.

    Returns:
        A layer per call, named after the module, in the order of execution.

    Raises:
        SessionError: The feeds do not fit the inputs of the graph.
        ModelFileError: The graph does not run.
    """
    inputs = [feeds[info.name] for info in model.graph.input if info.name in feeds]
    calls = _list_calls(module, inputs)
    pairs, skipped = _match(calls, list_tensors(model))
    tensors = {tensor.name: call for call, tensor in pairs}
    layers: List[LayerParity] = []
    for group in group_tensors([tensor for _, tensor in pairs]):
        wanted = [tensors[tensor.name] for tensor in group]
        want = _run_calls(module, inputs, [call.key for call in wanted])
        have = run_tensors(model, [tensor.name for tensor in group], feeds)
        for call, tensor in zip(wanted, group):
            name = _show(call.key)
            parity = compare_arrays(name, want[call.key], have[tensor.name])
            layers.append(LayerParity(parity, tensor.node, call.kind, call.key[0]))
    return LayerReport(tuple(layers), tuple(skipped))


def _show(key: Key) -> str:
    path, number = key
    return (path or "the network") + (f" (call {number + 1})" if number else "")


def _watch(module: nn.Module, inputs: Sequence[np.ndarray], on_call: OnCall) -> None:
    """Run a network and tell of each call of a leaf module."""
    seen: Counter[str] = Counter()

    def make_hook(path: str) -> Callable[[nn.Module, Tuple[object, ...], object], None]:
        def hook(leaf: nn.Module, arguments: Tuple[object, ...], output: object) -> None:
            key = path, seen[path]
            seen[path] += 1
            on_call(key, leaf, arguments, output)

        return hook

    with ExitStack() as stack, torch.no_grad():
        for path, part in module.named_modules():
            if not any(True for _ in part.children()):
                stack.callback(part.register_forward_hook(make_hook(path)).remove)
        module(*[torch.from_numpy(np.array(array)) for array in inputs])


def _list_calls(module: nn.Module, inputs: Sequence[np.ndarray]) -> List[_Call]:
    calls: List[_Call] = []
    last: Dict[str, object] = {}  # of the call before: the module and what it returned

    def note(key: Key, leaf: nn.Module, arguments: Tuple[object, ...], output: object) -> None:
        shape = tuple(output.shape) if isinstance(output, Tensor) else None
        follows = bool(arguments) and arguments[0] is last.get("output")
        is_pair = isinstance(leaf, _BatchNorm) and isinstance(last.get("leaf"), _ConvNd)
        folds = calls[-1].key if calls and follows and is_pair else None
        calls.append(_Call(key, type(leaf).__name__, shape, folds))
        last.update(leaf=leaf, output=output)

    _watch(module, inputs, note)
    return calls


def _run_calls(
    module: nn.Module, inputs: Sequence[np.ndarray], keys: Sequence[Key]
) -> Dict[Key, np.ndarray]:
    wanted, values = set(keys), {}

    def keep(key: Key, _leaf: nn.Module, _arguments: Tuple[object, ...], output: object) -> None:
        if key in wanted and isinstance(output, Tensor):
            # A copy, because a later module may work in place.
            values[key] = output.numpy().copy()

    _watch(module, inputs, keep)
    return values


def _match(
    calls: Sequence[_Call], tensors: Sequence[NodeTensor]
) -> Tuple[List[Tuple[_Call, NodeTensor]], List[str]]:
    """Pairs in the order of execution, and a sentence per call that has no tensor."""
    found = _share_out(calls, tensors)
    folded: Set[Optional[Key]] = set()
    for call in calls:
        if call.folds in found and call.key not in found:
            found[call.key] = found.pop(call.folds)
            folded.add(call.folds)
    skipped = [
        f"{call.kind} '{_show(call.key)}': no node named after it makes a tensor of its shape"
        for call in calls
        if call.key not in found and call.key not in folded
    ]
    return [(call, found[call.key]) for call in calls if call.key in found], skipped


def _share_out(
    calls: Sequence[_Call], tensors: Sequence[NodeTensor]
) -> Dict[Optional[Key], NodeTensor]:
    paths = {call.key[0] for call in calls}
    made: Dict[Tuple[Optional[str], object], List[NodeTensor]] = {}
    for tensor in tensors:
        path = tensor.module
        if path is not None and path not in paths:
            path = _LATER_CALL.sub("", path)
        made.setdefault((path, tensor.shape), []).append(tensor)
    alike: Dict[Tuple[str, object], List[_Call]] = {}
    for call in calls:
        if call.shape is not None:
            alike.setdefault((call.key[0], call.shape), []).append(call)
    found: Dict[Optional[Key], NodeTensor] = {}
    for place, group in alike.items():
        nodes = made.get(place, [])
        share = len(nodes) // len(group)
        if share and share * len(group) == len(nodes):
            found.update((call.key, nodes[share * (i + 1) - 1]) for i, call in enumerate(group))
    return found
