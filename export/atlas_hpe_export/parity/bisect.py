"""The first node that breaks a tolerance, as a graph so small that anybody can look at it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Optional, Sequence, Set, Union

import onnx

from atlas_hpe.errors import CheckFailedError
from atlas_hpe.parity.tolerances import Tolerance
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.parity.bisection import Bisection, BreakingCase, check_folder, write_case
from atlas_hpe_export.parity.intermediates import (
    NodeTensor,
    cut_graph,
    group_tensors,
    inputs_of,
    run_tensors,
    tensor_info,
)
from atlas_hpe_export.parity.layers import compare_arrays, exceeds, shared_tensors
from atlas_hpe_export.runners import open_runner

__all__ = ["Bisection", "bisect_graph"]


def bisect_graph(
    reference: onnx.ModelProto,
    candidate: onnx.ModelProto,
    feeds: Feeds,
    tolerance: Tolerance,
    out_dir: Union[str, Path],
    *,
    force: bool = False,
) -> Optional[Bisection]:
    """Find the first node whose output breaks the tolerance, and write a case that shows it alone.

    The case is that node with its constants, fed with what the reference computes in front of it.
    Where that alone stays within the tolerance, as when small errors add up, it is grown backwards
    only as far as it takes.

    Args:
        reference: What is right.
        candidate: A graph whose tensors carry the names of the reference's, for example
            ``emulate_half(reference)`` or the graph after a rewrite.
        feeds: Input name -> array, for both.
        tolerance: What may differ.
        out_dir: Folder for ``BISECTION_FILES``; it is made when there is something to write.
        force: Replace files that exist.

    Returns:
        What was found and written; None when no tensor breaks the tolerance.

    Raises:
        OutputError: The folder can't be used, or holds such files already.
        CheckFailedError: A node breaks the tolerance, but no part of the graph does when it is run
            alone.
        SessionError: The feeds do not fit the inputs of the graphs.
        ModelFileError: A graph does not run.
    """
    folder = Path(out_dir)
    check_folder(folder, force=force)
    shared = shared_tensors(reference, candidate)
    first = _find_first(reference, candidate, shared, feeds, tolerance)
    if first is None:
        return None
    stops = {tensor.name for tensor in shared} | set(feeds)
    frontiers = _list_frontiers(candidate, first.name, stops, set(feeds))

    def attempt(depth: int) -> Optional[BreakingCase]:
        case = _make_case(reference, candidate, first.name, frontiers[depth], feeds)
        return case if exceeds(case.parity, tolerance) else None

    case = _find_smallest(attempt, len(frontiers))
    if case is None:
        raise _not_reproduced(first)
    return write_case(case, first, tolerance, folder, force=force)


def _not_reproduced(first: NodeTensor) -> CheckFailedError:
    return CheckFailedError(
        "a node breaks the tolerance, but not when its part of the graph runs alone",
        where=f"{first.op_type} '{first.node}'",
        why="the difference is so close to the limit that the order of sums decides",
        fix="bisect with a smaller tolerance",
    )


def _find_first(
    reference: onnx.ModelProto,
    candidate: onnx.ModelProto,
    shared: Sequence[NodeTensor],
    feeds: Feeds,
    tolerance: Tolerance,
) -> Optional[NodeTensor]:
    """The first in the order of the candidate: what is in front of it is within the tolerance."""
    for group in group_tensors(shared):
        names = [tensor.name for tensor in group]
        want, have = run_tensors(reference, names, feeds), run_tensors(candidate, names, feeds)
        for tensor in group:
            expected, found = want[tensor.name], have[tensor.name]
            if expected.shape != found.shape:
                continue
            if exceeds(compare_arrays(tensor.name, expected, found), tolerance):
                return tensor
    return None


def _list_frontiers(
    model: onnx.ModelProto, end: str, stops: Set[str], inputs: Set[str]
) -> List[Set[str]]:
    """Ever deeper sets of tensors to feed, so that the graph behind them makes ``end``.

    Args:
        model: The graph.
        end: The tensor.
        stops: Tensors that can be fed.
        inputs: Those of them that no node makes.
    """
    makers = {name: node for node in model.graph.node for name in node.output if name}

    def parents(name: str) -> Set[str]:
        found: Set[str] = set()
        seen: Set[str] = set()
        waiting = inputs_of(makers[name])
        while waiting:
            item = waiting.pop()
            if item in stops:
                found.add(item)
            elif item in makers and item not in seen:
                seen.add(item)
                waiting += inputs_of(makers[item])
        return found

    inside = {end}
    frontiers = [parents(end)]
    while frontiers[-1] - inputs:
        grown = frontiers[-1] - inputs
        inside |= grown
        behind = (frontiers[-1] & inputs).union(*[parents(name) for name in grown])
        frontiers.append(behind - inside)
    return frontiers


def _find_smallest(
    attempt: Callable[[int], Optional[BreakingCase]], count: int
) -> Optional[BreakingCase]:
    """The smallest depth that shows the break, taking it that a deeper one shows it too."""
    low, high = -1, 0  # low fails
    case = attempt(high)
    while case is None:
        if high == count - 1:
            return None
        low, high = high, min(2 * high + 1, count - 1)
        case = attempt(high)
    while high - low > 1:
        middle = (low + high) // 2
        smaller = attempt(middle)
        if smaller is None:
            low = middle
        else:
            high, case = middle, smaller
    return case


def _make_case(
    reference: onnx.ModelProto,
    candidate: onnx.ModelProto,
    end: str,
    starts: Set[str],
    feeds: Feeds,
) -> BreakingCase:
    values = run_tensors(reference, [end, *sorted(starts)], feeds)
    expected = values.pop(end)
    infos = {name: tensor_info(name, array) for name, array in values.items()}
    part = cut_graph(candidate, [tensor_info(end, expected)], infos)
    with open_runner(part) as run:
        found = run(values)[end]
    return BreakingCase(part, values, expected, compare_arrays(end, expected, found))
