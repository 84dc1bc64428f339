"""One conversion: what goes in, what is asked, and where the result goes."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple, Union

from atlas_hpe.aipp import card_with_aipp
from atlas_hpe.card import ModelCard, find_card
from atlas_hpe.errors import InputError
from atlas_hpe.files import check_readable, sha256_of
from atlas_hpe.onnx_file import OnnxSummary, read_onnx_summary
from atlas_hpe.outfile import check_out_path
from atlas_hpe_export.convert.request.checks import check_command, check_normalisation
from atlas_hpe_export.convert.request.command import AtcCommand, build_command
from atlas_hpe_export.convert.request.options import ConvertOptions
from atlas_hpe_export.node_names import read_node_modules

__all__ = ["ConvertJob", "prepare_job"]

# atc refuses other characters in paths, and the name goes into the model's header.
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)


@dataclass(frozen=True)
class ConvertJob:
    """A request that has been held against the rules.

    Attributes:
        model: The ONNX file.
        out: The .om to write.
        onnx_sha256: Hash of the ONNX file, taken before anything was read from it.
        summary: What the ONNX file says about itself.
        command: What atc is asked.
        card: The card of the .om, as far as it is known before; None where the ONNX has none.
    """

    model: Path
    out: Path
    onnx_sha256: str
    summary: OnnxSummary
    command: AtcCommand
    card: Optional[ModelCard]

    def check_unchanged(self, sha256: str) -> None:
        """Make sure that what is converted is what was looked at.

        Args:
            sha256: Of the ONNX file as it was read for that.

        Raises:
            InputError: It is another one.
        """
        if sha256 != self.onnx_sha256:
            raise InputError(
                "the model was changed while it was being read",
                where=self.model,
                fix="convert again, once nothing writes it any more",
            )

    @property
    def name(self) -> str:
        """Stem of the files that atc reads and writes."""
        stem = self.out.name[: -len(".om")]
        return stem if _SAFE_NAME.fullmatch(stem) else "model"

    @property
    def soc(self) -> str:
        """Chip that the .om is for."""
        return self.command.values["soc_version"]

    @property
    def argv(self) -> Tuple[str, ...]:
        """Atc's whole command, to run where the files are."""
        return self.command.argv(self.name)

    @property
    def command_line(self) -> str:
        """It as one line for a shell."""
        return " ".join(shlex.quote(word) for word in self.argv)

    @property
    def recorded_options(self) -> Dict[str, str]:
        """Flag -> value for the build record; a side file's text where a flag names one."""
        values = self.command.values
        return {name: self.command.files.get(value, value) for name, value in values.items()}


def prepare_job(
    model: Union[str, Path], out: Union[str, Path, None], options: ConvertOptions, *, suffix: str
) -> ConvertJob:
    """Read the model and its card, and hold what is asked against atc's rules.

    Args:
        model: The ONNX file.
        out: What to write; None for the model's name in the working directory.
        options: What is asked.
        suffix: ``".om"`` or ``".simulated.om"``, of the default name.

    Raises:
        InputError: The model can't be read, is no ONNX file, or its card is damaged.
        OutputError: The result can't be written there.
        UsageError: A rule is broken.
    """
    model = check_readable(model)
    out = Path(model.stem + suffix) if out is None else Path(out)
    check_out_path(out, [".om"], force=True)
    onnx_sha256 = sha256_of(model)
    summary = read_onnx_summary(model)
    card = find_card(model)
    command = build_command(options, summary, card)
    check_command(command, summary, tuple(read_node_modules(model)))
    check_normalisation(command, model)
    card = command.card
    if card is not None and command.aipp is not None:
        card = card_with_aipp(card, command.aipp)
    return ConvertJob(
        model=model,
        out=out,
        onnx_sha256=onnx_sha256,
        summary=summary,
        command=command,
        card=card,
    )
