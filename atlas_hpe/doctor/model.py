"""Whether a compiled model, its card and this machine go together."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Tuple

from atlas_hpe.cann import available_kb
from atlas_hpe.card import ModelCard, card_path_of, find_card
from atlas_hpe.doctor.findings import FAULT, OK, WARNING, Finding
from atlas_hpe.doctor.machine import Machine
from atlas_hpe.errors import InputError, ModelFileError
from atlas_hpe.files import check_readable, sha256_of
from atlas_hpe.om_file import OmSummary, find_misfit, read_om_summary
from atlas_hpe.simulated_file import is_simulated_file

__all__ = ["examine_model"]

_MB = 1 << 20
_COMPILE = "atlas-hpe convert MODEL.onnx --soc CHIP"


def examine_model(
    machine: Machine, path: Path, *, soc: Optional[str], cann: Optional[str], on_board: bool
) -> Tuple[Finding, ...]:
    """Hold a model file against a machine.

    Args:
        machine: The machine.
        path: The .om.
        soc: Chip to run it on, None when it is not known.
        cann: Version of CANN to run it with, None when it is not known.
        on_board: This machine is to run it.

    Raises:
        InputError: The file can't be read.
    """
    path = check_readable(path)
    if is_simulated_file(path):
        return (_simulated(on_board), *_examine_card(path, is_simulated=True))
    if path.suffix.lower() == ".onnx":
        fix = f"atlas-hpe convert {path} --soc {soc or 'CHIP'}"
        return (Finding("file", WARNING, "an .onnx; a board runs .om files", fix),)
    try:
        summary = read_om_summary(path)
    except ModelFileError as error:
        text = error.what + (f": {error.why}" if error.why else "")
        return (Finding("file", FAULT, text, error.fix or f"copy it again, or {_COMPILE}"),)
    found = [Finding("file", OK, _describe(path, summary))]
    found += _examine_fit(summary, soc, cann)
    if on_board:
        found += _examine_room(summary, available_kb(machine.root)[0])
    return (*found, *_examine_card(path, is_simulated=False))


def _simulated(on_board: bool) -> Finding:
    text = "a simulated model, which runs on the simulator only"
    return Finding("file", FAULT, text, _COMPILE) if on_board else Finding("file", OK, text)


def _describe(path: Path, summary: OmSummary) -> str:
    parts = [f"{path.stat().st_size / 1e6:.1f} MB"]
    for model in summary.models[:1]:
        parts += [f"for {model.soc}"] if model.soc else []
        parts += [f"built by CANN {model.cann_version}"] if model.cann_version else []
    return ", ".join(parts)


def _examine_fit(summary: OmSummary, soc: Optional[str], cann: Optional[str]) -> List[Finding]:
    return [
        _fit(
            "chip of the model", summary, soc=soc, said=any(model.soc for model in summary.models)
        ),
        _fit(
            "CANN of the model",
            summary,
            cann=cann,
            said=any(model.cann_version for model in summary.models),
        ),
    ]


def _fit(
    name: str,
    summary: OmSummary,
    *,
    said: bool,
    soc: Optional[str] = None,
    cann: Optional[str] = None,
) -> Finding:
    here = soc or cann
    if not said:
        return Finding(name, OK, "the file does not say what it was made for")
    if here is None:
        return Finding(name, OK, "nothing on this machine to hold it against")
    misfit = find_misfit(summary, soc=soc, cann=cann)
    if misfit is None:
        return Finding(name, OK, f"fits {here}")
    text = f"{misfit.what}: {misfit.why}"
    return Finding(name, FAULT if misfit.fatal else WARNING, text, misfit.fix)


def _examine_room(summary: OmSummary, kilobytes: Optional[int]) -> List[Finding]:
    if kilobytes is None:
        return []
    available_mb = kilobytes // 1024
    sizes = [model.weights_bytes + (model.memory_bytes or 0) for model in summary.models]
    needed_mb = sum(sizes) / _MB
    text = f"the model takes {needed_mb:.0f} MB of the {available_mb} MB available"
    if needed_mb < available_mb:
        return [Finding("room for the model", OK, text)]
    fix = "close other programs, or compile a smaller batch"
    return [Finding("room for the model", WARNING, text, fix)]


def _examine_card(path: Path, *, is_simulated: bool) -> List[Finding]:
    try:
        card = find_card(path)
    except InputError as error:
        return [Finding("card", FAULT, str(error.why or error.what), error.fix or _COMPILE)]
    if card is None:
        text = f"no {card_path_of(path).name} beside it: the pipelines can't run it"
        return [Finding("card", WARNING, text, f"{_COMPILE} writes both files")]
    return [Finding("card", OK, card.name), _examine_record(path, card, is_simulated)]


def _examine_record(path: Path, card: ModelCard, is_simulated: bool) -> Finding:
    build = card.provenance.build
    if build is None:
        return Finding("record", WARNING, "the card does not say how it was compiled", _COMPILE)
    if build.om_sha256 != sha256_of(path) or build.simulated != is_simulated:
        text = "the card belongs to another file: the hash of its record differs"
        return Finding("record", FAULT, text, "copy the model and its .json together")
    return Finding("record", OK, f"{build.compiler}; the hash is that of the file")
