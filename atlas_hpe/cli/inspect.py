"""``atlas-hpe inspect``: what is inside a model file."""

from __future__ import annotations

from dataclasses import asdict
from typing import List, Sequence

import click

from atlas_hpe.card import ModelCard, TensorSpec
from atlas_hpe.cli.report import emit_json, json_option
from atlas_hpe.onnx_file import OnnxSummary

__all__ = ["command"]


@click.command("inspect")
@click.argument("model", type=click.Path())
@json_option
def command(model: str, as_json: bool) -> None:
    """Show the inputs, outputs, operators and card of the .onnx file MODEL; needs no onnx."""
    from pathlib import Path

    from atlas_hpe.card import find_card
    from atlas_hpe.onnx_file import read_onnx_summary

    summary = read_onnx_summary(Path(model))
    card = find_card(Path(model))
    if as_json:
        emit_json({"onnx": asdict(summary), "card": None if card is None else asdict(card)})
        return
    click.echo("\n".join([model, *_format_summary(summary), *_format_card(card)]))


def _format_summary(summary: OnnxSummary) -> List[str]:
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
    return [
        f"  {label:<12}{spec.name} {spec.dtype} "
        + "x".join("?" if size < 0 else str(size) for size in spec.shape)
        for spec in specs
    ]


def _format_card(card: ModelCard | None) -> List[str]:
    if card is None:
        return ["  card        none: the pipelines can't run it; see atlas-hpe export"]
    pre, origin = card.preprocess, card.provenance
    parity = ", ".join(f"{name} {value:.3g}" for name, value in origin.parity.items())
    return [
        f"  card        {card.name}, {card.task}, version {card.card_version}",
        f"  picture     {pre.width_px}x{pre.height_px} {pre.colour}, fit {pre.fit}, "
        f"normalised on {pre.where}",
        f"  decode      {card.decode.kind} on {card.decode.where}",
        f"  network     {origin.network}, checkpoint {origin.checkpoint or 'none'}",
        f"  licence     {origin.licence or 'not stated'}",
        *(f"  source      {source}" for source in origin.attribution),
        f"  rewrites    {', '.join(origin.rewrites) or 'none'}",
        f"  parity      {parity or 'not measured'}",
    ]
