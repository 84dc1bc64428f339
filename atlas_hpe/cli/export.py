"""``atlas-hpe export``: PyTorch checkpoint -> ONNX for the board."""

from __future__ import annotations

from typing import Optional, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say, say_next

__all__ = ["command"]


@click.command("export")
@click.argument("checkpoint")
@click.option(
    "--out", default="model.onnx", show_default=True, metavar="FILE", help="ONNX to write."
)
@click.option("--arch", metavar="NAME", help="Network; default: recognised by its tensors.")
@click.option("--target", default="Ascend310", show_default=True, help="Board's compiler.")
@click.option("--licence", metavar="TEXT", help="Licence of the weights, for the model card.")
@click.option(
    "--attribution", multiple=True, metavar="TEXT", help="Source to name in the card; may repeat."
)
@click.option("--force", is_flag=True, help="Replace an output that exists.")
@json_option
def command(
    checkpoint: str,
    out: str,
    arch: Optional[str],
    target: str,
    licence: Optional[str],
    attribution: Tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Turn the PyTorch CHECKPOINT into an ONNX file that the board's compiler takes.

    The file is checked against PyTorch before it gets its name; it carries its model card.
    """
    from atlas_hpe_export import describe_export, export_checkpoint, export_to_dict
    from atlas_hpe_pipelines import decode_joints
    from atlas_hpe_pipelines.drawn_hand import draw_feeds

    report = export_checkpoint(
        checkpoint,
        out,
        arch=arch,
        target=target,
        decode_joints=decode_joints,
        draw_feeds=draw_feeds,
        licence=licence or None,
        attribution=attribution,
        force=force,
    )
    for line in describe_export(report):
        say(line)
    say_next("atlas-hpe", "parity", checkpoint, report.path, "--images", "FOLDER")
    say_next("atlas-hpe", "run", "VIDEO", "--model", report.path, "--out", "hands.gif")
    if as_json:
        emit_json(export_to_dict(report))
