"""The outcome of a conversion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from atlas_hpe.card import ModelCard

__all__ = ["ConvertReport", "convert_to_dict", "describe_convert"]


@dataclass(frozen=True)
class ConvertReport:
    """What ``compile_om`` did.

    Attributes:
        path: The .om.
        card: Its card, None where the ONNX has none.
        soc: Chip it was made for.
        state: ``"compiled"`` by atc or ``"simulated"`` just now, ``"cached"`` or ``"up to date"``.
        command: atc's command line, shell-quoted; None when simulated.
        toolchain: What compiled it, for example ``"atc of CANN 5.0.4.alpha002"``.
        size_bytes: Of the .om.
        duration_s: That atc took, in seconds.
        peak_memory_mb: Most memory of atc and its helpers together, in 2**20 bytes, if measured.
        log: Everything that atc said; None when it did not run.
        warnings: What a user should know, one sentence each.
    """

    path: Path
    card: Optional[ModelCard]
    soc: str
    state: str
    command: Optional[str]
    toolchain: str
    size_bytes: int
    duration_s: float
    peak_memory_mb: Optional[float] = None
    log: Optional[Path] = None
    warnings: Tuple[str, ...] = ()

    @property
    def cached(self) -> bool:
        """Whether an earlier compilation was used."""
        return self.state in ("cached", "up to date")

    @property
    def simulated(self) -> bool:
        """Whether the file runs on the simulator only."""
        return self.command is None


def convert_to_dict(report: ConvertReport) -> Dict[str, object]:
    """The report as JSON takes it."""
    return {
        "path": str(report.path),
        "state": report.state,
        "simulated": report.simulated,
        "cached": report.cached,
        "soc": report.soc,
        "toolchain": report.toolchain,
        "command": report.command,
        "size_bytes": report.size_bytes,
        "duration_s": report.duration_s,
        "peak_memory_mb": report.peak_memory_mb,
        "log": None if report.log is None else str(report.log),
        "card": None if report.card is None else asdict(report.card),
        "warnings": list(report.warnings),
    }


def describe_convert(report: ConvertReport) -> List[str]:
    """The report as lines for a person; warnings were shown before the work."""
    size = f"{report.size_bytes / 2**20:.2f} MiB"
    lines = [
        f"{report.path}: {size}, for {report.soc}, {_how(report)}",
        f"  compiler  {report.toolchain}{_cost(report)}",
    ]
    if report.log is not None:
        lines.append(f"  log       {report.log}")
    lines += _describe_card(report)
    return lines


# Flag -> what it lists, what stands between two of them, and how one's axes are shown.
_PROFILES = {
    "dynamic_batch_size": ("batches", ",", (" ", "")),
    "dynamic_image_size": ("image sizes (h x w)", ";", (",", "x")),
    "dynamic_dims": ("sizes of the open axes", ";", (",", "x")),
}
_HOW = {
    "compiled": "compiled by atc, not yet run on a board",
    "cached": "compiled by atc before and taken from the cache (--force compiles anew)",
    "up to date": "up to date: the same model, options and compiler (--force compiles anew)",
    "simulated": "simulated: no compiler ran, it runs on the simulator only",
}


def _how(report: ConvertReport) -> str:
    if report.simulated and report.cached:
        return "up to date, " + _HOW["simulated"]
    return _HOW[report.state]


def _cost(report: ConvertReport) -> str:
    if report.simulated:
        return ""
    memory = report.peak_memory_mb
    held = "" if memory is None else f", at most {memory:.0f} MiB of memory"
    return f", {report.duration_s:.1f} s{held}"


def _describe_card(report: ConvertReport) -> List[str]:
    card = report.card
    if card is None:
        return [
            "  card      none: the pipelines can't run it; atlas-hpe export writes one",
            f"  record    {report.path}.build.json",
        ]
    lines = [f"  card      {report.path}.json; keep the two files together"]
    inputs = ", ".join(
        f"{spec.name} {spec.dtype} {'x'.join(map(str, spec.shape))}"
        for spec in card.graphs[0].inputs
    )
    aipp = card.preprocess.aipp
    if aipp is not None:
        colours = "" if aipp.matrix is None else f", {aipp.matrix}"
        inputs += f": {aipp.form} of {aipp.width_px}x{aipp.height_px} px (w x h){colours}, by AIPP"
    return [*lines, f"  input     {inputs}", *_describe_profiles(card)]


def _describe_profiles(card: ModelCard) -> List[str]:
    """The sizes that a program may choose between; the pipelines feed that of the card."""
    build = card.provenance.build
    options = {} if build is None else build.options
    return [
        f"  profiles  {kind} {', '.join(options[flag].replace(*axes).split(separator))}: "
        "chosen at run time, the pipelines feed the size above"
        for flag, (kind, separator, axes) in _PROFILES.items()
        if flag in options
    ]
