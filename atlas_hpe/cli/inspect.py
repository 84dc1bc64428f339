"""``atlas-hpe inspect``: what is inside a model file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, Tuple

import click

from atlas_hpe.card import ModelCard, TensorSpec
from atlas_hpe.cli.report import emit_json, json_option
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe.text import printable

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

__all__ = ["command"]

_Report = Dict[str, object]

_MAX_LINE = 2000
_NO_CARD = "the pipelines can't run it; see atlas-hpe export"
_NO_CARD_OM = "the pipelines can't run it; atlas-hpe convert writes one beside the .om"


@click.command("inspect")
@click.argument("model", type=click.Path())
@json_option
def command(model: str, as_json: bool) -> None:
    """Show what is inside MODEL: an .onnx, an .om or a simulated model, with its card.

    Needs neither onnx nor CANN. The content tells the kind of file, not its name.
    """
    report, lines = _read(Path(model))
    if as_json:
        emit_json(report)
        return
    click.echo("\n".join(printable(line, _MAX_LINE) for line in lines))


def _read(path: Path) -> Tuple[_Report, List[str]]:
    """The report for a program, and its lines for a person."""
    from atlas_hpe.files import check_readable
    from atlas_hpe.om_file import describe_om, looks_like_om, read_om_summary
    from atlas_hpe.onnx_file import read_onnx_summary
    from atlas_hpe.simulated_file import SIMULATED_WORDS

    with check_readable(path).open("rb") as file:
        head = file.read(len(SIMULATED_WORDS))
    if head == SIMULATED_WORDS:
        return _read_simulated(path)
    if looks_like_om(head) or path.suffix.lower() == ".om":
        om = read_om_summary(path)
        card = _find_card(path, {})
        report: _Report = {"kind": "om", "om": asdict(om), "card": _card_json(card)}
        return report, [
            f"{path}: a compiled model (.om)",
            *describe_om(om),
            *_format_card(card, _NO_CARD_OM),
        ]
    onnx = read_onnx_summary(path)
    card = _find_card(path, onnx.metadata)
    report = {"kind": "onnx", "onnx": asdict(onnx), "card": _card_json(card)}
    return report, [str(path), *_format_onnx(onnx), *_format_card(card)]


def _read_simulated(path: Path) -> Tuple[_Report, List[str]]:
    from atlas_hpe.onnx_file import parse_onnx
    from atlas_hpe_runtime.simulator.model_file import load_simulated_model

    model = load_simulated_model(path)
    onnx = parse_onnx(model.onnx, path)
    # The one beside it knows of the options; the one inside the graph is older.
    card = _find_card(path, {}) or _find_card(path, onnx.metadata)
    settings = {name: value for name, value in asdict(model).items() if name != "onnx"}
    report: _Report = {
        "kind": "simulated",
        "simulated": settings,
        "onnx": asdict(onnx),
        "card": _card_json(card),
    }
    lines = [f"{path}: SIMULATED, no .om: runs on the simulator only, on no device"]
    lines += [*_format_settings(model), "  inside      the .onnx it was made from:"]
    return report, [*lines, *_format_onnx(onnx), *_format_card(card)]


def _find_card(path: Path, metadata: Mapping[str, str]) -> Optional[ModelCard]:
    """The card inside an ONNX file's metadata, or in the file beside the model."""
    from atlas_hpe.card import CARD_METADATA_KEY, card_from_json, card_path_of, load_card

    if CARD_METADATA_KEY in metadata:
        return card_from_json(metadata[CARD_METADATA_KEY], str(path))
    beside = card_path_of(path)
    return load_card(beside) if beside.exists() else None


def _card_json(card: Optional[ModelCard]) -> Optional[Dict[str, object]]:
    return None if card is None else asdict(card)


def _format_settings(model: SimulatedModel) -> List[str]:
    """What the compiler would have been told."""
    from atlas_hpe.aipp import DynamicAipp, aipp_entries
    from atlas_hpe.om_file import OmAipp, describe_aipp

    rows = [
        ("chip", model.soc),
        ("precision", model.precision),
        ("format", model.input_format),
        *(("shape", f"{name} {_shape(shape)}") for name, shape in model.input_shapes.items()),
        *(("output", f"{name} as {dtype}") for name, dtype in model.output_dtypes.items()),
        *(("fp16 input", name) for name in model.fp16_inputs),
    ]
    if model.profiles:
        values = "; ".join(",".join(map(str, profile)) for profile in model.profiles)
        rows.append(("profiles", f"{model.profile_kind}: {values}"))
    lines = [f"  {label:<12}{text}" for label, text in rows]
    for name, aipp in model.aipp.items():
        mode = "dynamic" if isinstance(aipp, DynamicAipp) else "static"
        lines += describe_aipp(name, OmAipp(mode, aipp_entries(aipp)))
    return lines


def _format_onnx(summary: OnnxSummary) -> List[str]:
    opsets = ", ".join(f"{domain} {version}" for domain, version in summary.opsets.items())
    operators = ", ".join(f"{name} x{count}" for name, count in summary.operators.items())
    return [
        f"  opset       {opsets} (IR version {summary.ir_version})",
        f"  written by  {summary.producer or 'unknown'}",
        *_format_tensors("input", summary.inputs),
        *_format_tensors("output", summary.outputs),
        f"  weights     {summary.weights:,} numbers",
        f"  operators   {operators}",
    ]


def _format_tensors(label: str, specs: Sequence[TensorSpec]) -> List[str]:
    return [f"  {label:<12}{spec.name} {spec.dtype} {_shape(spec.shape)}" for spec in specs]


def _shape(shape: Sequence[int]) -> str:
    return "x".join("?" if size < 0 else str(size) for size in shape)


def _format_card(card: Optional[ModelCard], without: str = _NO_CARD) -> List[str]:
    if card is None:
        return [f"  card        none: {without}"]
    pre, origin = card.preprocess, card.provenance
    parity = ", ".join(f"{name} {value:.3g}" for name, value in origin.parity.items())
    of_graph = " (of the .onnx, at export)" if parity and origin.build is not None else ""
    return [
        f"  card        {card.name}, {card.task}, version {card.card_version}",
        f"  picture     {pre.width_px}x{pre.height_px} {pre.colour}, fit {pre.fit}, "
        f"normalised on {pre.where}",
        *_format_feeding(card),
        f"  decode      {card.decode.kind} on {card.decode.where}",
        f"  network     {origin.network}, checkpoint {origin.checkpoint or 'none'}",
        f"  licence     {origin.licence or 'not stated'}",
        *(f"  source      {source}" for source in origin.attribution),
        f"  rewrites    {', '.join(origin.rewrites) or 'none'}",
        f"  parity      {parity or 'not measured'}{of_graph}",
        *_format_build(card),
    ]


def _format_feeding(card: ModelCard) -> List[str]:
    """The picture that is fed to AIPP."""
    aipp = card.preprocess.aipp
    if aipp is None:
        return []
    matrix = "" if aipp.matrix is None else f", {aipp.matrix}"
    return [f"  fed as      {aipp.form} {aipp.width_px}x{aipp.height_px}{matrix}, through AIPP"]


def _format_build(card: ModelCard) -> List[str]:
    build = card.provenance.build
    if build is None:
        return []
    how = "simulated, not compiled," if build.simulated else "compiled"
    return [f"  built       {how} by {build.compiler} in {build.duration_s:.1f} s on {build.host}"]
