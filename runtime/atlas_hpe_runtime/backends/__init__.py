"""The back-ends, one file each; a file is loaded only when its back-end is opened.

To add one: write ``backends/<name>.py`` with ``open_model(path, options) -> Session`` and add its
line to ``BACKENDS``; see docs/extending.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from atlas_hpe.errors import UsageError

__all__ = ["BACKENDS", "SessionOptions"]

# ONNX Runtime starts what it is asked for, and waits for ever when the system gives it no more.
_MAX_THREADS = 256


@dataclass(frozen=True)
class SessionOptions:
    """What a caller may ask of a back-end.

    Attributes:
        device: Number of the device, for back-ends that have several.
        threads: CPU threads for back-ends that run on the host, None for one per core.
        frames_in_flight: Runs on a device at once, each with buffers of its own; one more waits
            for the oldest. Back-ends without buffers take any number and run one after the other.
        batch: Batch of a model with a dynamic batch, None to take it from the feeds.
        image_size: Height and width of a model with dynamic sizes, None to take it from the feeds.
        half: Compute as the board would, in emulated half precision (onnxruntime only).
        providers: Where ONNX Runtime computes, the first that can; empty for the CPU.

    Raises:
        UsageError: Less than one thread or frame in flight, or too many threads.
    """

    device: int = 0
    threads: Optional[int] = None
    frames_in_flight: int = 2
    batch: Optional[int] = None
    image_size: Optional[Tuple[int, int]] = None
    half: bool = False
    providers: Tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= _MAX_THREADS:
            raise UsageError(
                f"{self.threads} threads are too {'few' if self.threads < 1 else 'many'}",
                where="threads",
                fix=f"give 1 to {_MAX_THREADS}",
            )
        if self.frames_in_flight < 1:
            raise UsageError(
                f"{self.frames_in_flight} frames in flight are too few",
                where="frames_in_flight",
                fix="give 1 or more",
            )


#: Back-end -> what it is.
BACKENDS: Dict[str, str] = {
    "acl": "runs .om on an Ascend device",
    "acllite": "runs .om on an Ascend device through Huawei's AclLite",
    "onnxruntime": "runs .onnx on the host",
    "simulator": "runs .onnx and simulated models on a simulated Ascend device",
}
