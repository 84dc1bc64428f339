"""What tells a simulated model from other files, for programs that do without the simulator."""

from __future__ import annotations

from pathlib import Path

from atlas_hpe.errors import ModelFileError

__all__ = [
    "SIMULATED_SUFFIX",
    "SIMULATED_WORDS",
    "is_simulated_file",
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


def is_simulated_file(path: Path) -> bool:
    """Whether the content is that of a simulated model, whatever its name.

    Args:
        path: A file that can be read.

    Raises:
        OSError: It can't.
    """
    with path.open("rb") as stream:
        return stream.read(len(SIMULATED_WORDS)) == SIMULATED_WORDS


def refuse_simulated_model(path: Path) -> None:
    """Make sure that a file for ONNX Runtime is not one for the simulator.

    Args:
        path: A model file that can be read.

    Raises:
        ModelFileError: It is a simulated model.
    """
    if is_simulated_file(path):
        raise ModelFileError(
            "this is a simulated model, which runs on the simulator only",
            where=path,
            fix="use --backend simulator, or give the .onnx that it was made from",
        )
