"""What the user said besides the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from atlas_hpe.errors import UsageError
from atlas_hpe_export.inputs.input_shapes import InputShape

__all__ = ["InputOptions"]


@dataclass(frozen=True)
class InputOptions:
    """Options of ``open_input``.

    Attributes:
        arch: Network of the toolkit, None to recognise it.
        factory: ``package.module:function`` that makes the network.
        shapes: Shapes of the inputs.
        trust_pickle: Whether code inside the file may run.
    """

    arch: Optional[str] = None
    factory: Optional[str] = None
    shapes: Tuple[InputShape, ...] = ()
    trust_pickle: bool = False

    def refuse_network(self, kind: str) -> None:
        """Refuse ``--arch`` and ``--factory`` for a file that brings its own network.

        Raises:
            UsageError: One of them is given.
        """
        for option, value in (("--arch", self.arch), ("--factory", self.factory)):
            if value is not None:
                raise UsageError(
                    f"{option} is for a file of weights",
                    where=f"{option} {value}",
                    why=f"the file is {kind}, which brings its own network",
                    fix=f"leave out {option}",
                )
