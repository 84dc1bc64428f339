"""The back-ends, one file each; a file is loaded only when its back-end is opened.

To add one: write ``backends/<name>.py`` with ``open_model(path, options) -> Session`` and add its
line to ``BACKENDS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from atlas_hpe.errors import UsageError

__all__ = ["BACKENDS", "SessionOptions"]


@dataclass(frozen=True)
class SessionOptions:
    """What a caller may ask of a back-end.

    Attributes:
        device: Number of the device, for back-ends that have several.
        threads: CPU threads for back-ends that run on the host, None for one per core.
        frames_in_flight: Sets of buffers, so runs that may be submitted before a result is taken.
        batch: Batch of a model with a dynamic batch, None to take it from the feeds.
        image_size: Height and width of a model with dynamic sizes, None to take it from the feeds.
        half: Compute as the board would, in emulated half precision (onnxruntime only).
        providers: Where ONNX Runtime computes, the first that can; empty for the CPU.

    Raises:
        UsageError: Less than one frame in flight.
    """

    device: int = 0
    threads: Optional[int] = None
    frames_in_flight: int = 2
    batch: Optional[int] = None
    image_size: Optional[Tuple[int, int]] = None
    half: bool = False
    providers: Tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.frames_in_flight < 1:
            raise UsageError(
                f"{self.frames_in_flight} frames in flight are too few", fix="give 1 or more"
            )


#: Back-end -> what it is.
BACKENDS: Dict[str, str] = {
    "acl": "runs .om on an Ascend device",
    "acllite": "runs .om on an Ascend device through Huawei's AclLite",
    "onnxruntime": "runs .onnx on the host",
    "simulator": "runs .onnx and simulated models on a simulated Ascend device",
}
