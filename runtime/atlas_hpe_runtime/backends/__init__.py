"""The back-ends, one file each; a file is loaded only when its back-end is opened.

To add one: write ``backends/<name>.py`` with ``open_model(path, options) -> Session`` and add its
line to ``BACKENDS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Optional

__all__ = ["BACKENDS", "SessionOptions"]


@dataclass(frozen=True)
class SessionOptions:
    """What a caller may ask of a back-end.

    Attributes:
        device: Number of the device, for back-ends that have several.
        threads: CPU threads for back-ends that run on the host, None for one per core.
    """

    device: int = 0
    threads: Optional[int] = None


#: Back-end -> what it is.
BACKENDS: Dict[str, str] = {
    "onnxruntime": "runs .onnx on the host",
}
