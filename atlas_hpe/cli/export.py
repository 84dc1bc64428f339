"""``atlas-hpe export``: a network in any form -> ONNX for the board."""

from __future__ import annotations

from typing import Optional

import click

from atlas_hpe.cli.report import emit_json, json_option, say, say_next

__all__ = ["command"]


@click.command("export")
@click.argument("model", required=False)
@click.option(
    "--out", default="model.onnx", show_default=True, metavar="FILE", help="ONNX to write."
)
@click.option("--arch", metavar="NAME", help="Network of the weights; default: recognised.")
@click.option("--factory", metavar="PKG.MOD:FUNC", help="Builds your own network, for its weights.")
@click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    metavar="[NAME:]N,C,H,W",
    help="Shape of an input, where nothing else says it; may repeat.",
)
@click.option("--trust-pickle", is_flag=True, help="Run the code that a pickled module brings.")
@click.option(
    "--frontend",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto, torch-export or torchscript.",
)
@click.option("--decode-in-graph", is_flag=True, help="Joints leave the device, not heatmaps.")
@click.option("--target", default="Ascend310", show_default=True, help="Board's compiler.")
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    metavar="KIND",
    help="Of the file: float32, or float16 for half the size; the board computes in float16.",
)
@click.option("--licence", metavar="TEXT", help="Licence of the weights, for the model card.")
@click.option(
    "--attribution", multiple=True, metavar="TEXT", help="Source to name in the card; may repeat."
)
@click.option("--allow-blockers", is_flag=True, help="Write it though the compiler would refuse.")
@click.option("--list-rewrites", is_flag=True, help="List the rewrites and why, and do nothing.")
@click.option("--force", is_flag=True, help="Replace an output that exists.")
@json_option
def command(
    model: Optional[str], out: str, list_rewrites: bool, as_json: bool, **options: object
) -> None:
    """Turn MODEL into an ONNX file that the board's compiler takes.

    MODEL is a PyTorch checkpoint (.pt, .pth, .safetensors), a TorchScript archive, an exported
    program (.pt2), an ONNX file or, with --trust-pickle, a pickled module. Every change of the
    graph is run before and after; the file is compared with MODEL and held against the board's
    operator table before it gets its name. It carries its model card and its build record.
    """
    if list_rewrites:
        _list_rewrites(as_json)
        return
    if model is None:
        raise click.UsageError("Missing argument 'MODEL'.")
    from atlas_hpe_export import describe_export, export_file, export_to_dict
    from atlas_hpe_pipelines import decode_joints
    from atlas_hpe_pipelines.drawn_hand import draw_samples

    report = export_file(
        model,
        out,
        decode_joints=decode_joints,
        draw_samples=draw_samples,
        **options,  # type: ignore[arg-type]
    )
    for line in describe_export(report):
        say(line)
    say_next("atlas-hpe", "check", report.path)
    if report.card is not None:
        say_next("atlas-hpe", "parity", model, report.path, "--images", "FOLDER")
        role = "--detector" if report.card.task == "hand-detect" else "--model"
        say_next("atlas-hpe", "run", "VIDEO", role, report.path, "--out", "hands.gif")
    if as_json:
        emit_json(export_to_dict(report))


def _list_rewrites(as_json: bool) -> None:
    from atlas_hpe_export import describe_rewrites, rewrites_to_dict

    if as_json:
        emit_json(rewrites_to_dict())
        return
    for line in describe_rewrites():
        click.echo(line)
