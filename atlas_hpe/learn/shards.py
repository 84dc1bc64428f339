"""One batch split over threads: each shard runs on its own replica of the network.

On a shared machine this beats torch's own threads, which meet at a barrier in every layer and spin
there when the other core is busy; here the threads meet once per step.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, List, Sequence, Tuple, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["Shards", "share_parameters"]

Net = TypeVar("Net", bound=nn.Module)
Loss = TypeVar("Loss")


def share_parameters(model: Net) -> Net:
    """A copy of `model` with the very same parameters but batch-norm buffers of its own."""
    replica = copy.deepcopy(model)
    for mine, theirs in zip(replica.modules(), model.modules()):
        for name, parameter in theirs.named_parameters(recurse=False):
            setattr(mine, name, parameter)
    return replica


class Shards:
    """Threads and replicas for `count` shards of a batch.

    Args:
        model: the network that trains; it is the first replica.
        count: number of shards.
    """

    def __init__(self, model: nn.Module, count: int) -> None:
        self.replicas = [model] + [share_parameters(model) for _ in range(count - 1)]
        self._pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    @property
    def count(self) -> int:
        """Number of shards."""
        return len(self.replicas)

    def backward(self, run: Callable[[nn.Module, int], Tuple[Tensor, Loss]]) -> List[Loss]:
        """Mean gradient of all shards into `.grad`, and the mean of the batch-norm buffers.

        The shards are added in a fixed order, so that a run repeats to the last bit.

        Args:
            run: (replica, shard index) -> the loss to differentiate, and what to report.
        """
        parameters = [value for value in self.replicas[0].parameters() if value.requires_grad]

        def work(index: int) -> Tuple[Sequence[Tensor], Loss]:
            total, report = run(self.replicas[index], index)
            return torch.autograd.grad(total / self.count, parameters), report

        results = list(self._pool.map(work, range(self.count)))
        for position, parameter in enumerate(parameters):
            gradient = results[0][0][position]
            for gradients, _ in results[1:]:
                gradient = gradient + gradients[position]
            parameter.grad = gradient
        self._merge_buffers()
        return [report for _, report in results]

    @torch.no_grad()
    def _merge_buffers(self) -> None:
        for buffers in zip(*(replica.buffers() for replica in self.replicas)):
            if self.count > 1 and buffers[0].is_floating_point():
                mean = torch.stack(buffers).mean(dim=0)
                for buffer in buffers:
                    buffer.copy_(mean)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
