"""What tells a simulated model from other files, for programs that do without the simulator."""

from __future__ import annotations

from pathlib import Path

from atlas_hpe.errors import ModelFileError

__all__ = [
    "SIMULATED_SUFFIX",
    "SIMULATED_WORDS",
    "is_simulated_name",
    "refuse_simulated_model",
]

#: End of the name of every file that ``convert --simulate`` writes.
SIMULATED_SUFFIX = ".simulated.om"
#: First bytes of every simulated model; what follows is the version of its form.
SIMULATED_WORDS = b"atlas-hpe simulated model "


def is_simulated_name(path: Path) -> bool:
    """Whether a name says that the file is for the simulator."""
    return path.name.lower().endswith(SIMULATED_SUFFIX)


def refuse_simulated_model(path: Path) -> None:
    """Make sure that a file for ONNX Runtime is not one for the simulator, whatever its name.

    Args:
        path: A model file that can be read.

    Raises:
        ModelFileError: It is a simulated model.
    """
    with path.open("rb") as stream:
        if stream.read(len(SIMULATED_WORDS)) != SIMULATED_WORDS:
            return
    raise ModelFileError(
        "this is a simulated model, which runs on the simulator only",
        where=path,
        fix="use --backend simulator, or give the .onnx that it was made from",
    )
