"""``atlas-hpe convert``: an ONNX file -> an .om for the board."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Optional, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say, say_next

__all__ = ["command"]


@click.command(
    "convert",
    epilog="Example: atlas-hpe convert hand.onnx -- --op_select_implmode=high_precision",
)
@click.argument("model", required=False)
@click.argument("atc_flags", nargs=-1, metavar="[-- --ATC_FLAG=VALUE...]")
@click.option(
    "--soc", default="Ascend310", show_default=True, metavar="NAME", help="Chip, or its product."
)
@click.option(
    "--out", metavar="FILE", help="Model to write; default: MODEL's name, in this folder."
)
@click.option(
    "--input",
    "form",
    type=click.Choice(["nv12", "nv21", "rgb", "bgr", "xrgb", "gray"], case_sensitive=False),
    help="Pictures in this form go in, and the device makes the network's input of them (AIPP).",
)
@click.option(
    "--matrix",
    type=click.Choice(["bt601", "bt709"]),
    help="Colours of nv12 and nv21; default: bt601.",
)
@click.option(
    "--range",
    "colour_range",
    type=click.Choice(["narrow", "full"]),
    help="Range of nv12 and nv21: narrow for video, full for JPEG; default: narrow.",
)
@click.option("--source-size", metavar="WxH", help="Picture's width x height; default: network's.")
@click.option("--crop", metavar="LEFT,TOP,WIDTH,HEIGHT", help="What AIPP cuts out of the picture.")
@click.option("--padding", metavar="LEFT,RIGHT,TOP,BOTTOM", help="Pixels that AIPP adds, 0..32.")
@click.option(
    "--precision",
    metavar="KIND",
    help="fp16 (atc's default), mixed, fp32-to-fp16, origin or fp32; fastest first.",
)
@click.option("--batch", metavar="N[,N...]", help="Pictures per run; several: chosen at run time.")
@click.option(
    "--image-size",
    metavar="HxW[,HxW...]",
    help="Input's height x width, in this order; several: chosen at run time.",
)
@click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    metavar="[NAME:]N,C,H,W",
    help="Shape of an input that the graph leaves open; may repeat.",
)
@click.option(
    "--keep-dtype",
    multiple=True,
    metavar="NODE",
    help="Node that computes in the type the graph gives it, or OpType::Softmax; may repeat.",
)
@click.option(
    "--fusion-off",
    multiple=True,
    metavar="PASS",
    help="Fusion pass to switch off, or all; may repeat.",
)
@click.option("--tune", metavar="KIND", help="ga, rl or rl,ga: hours of search for faster kernels.")
@click.option("--docker", metavar="IMAGE", help="Run atc in a container of this image.")
@click.option(
    "--timeout-s",
    type=float,
    metavar="N",
    help="Stop atc after so many seconds; default: 3600, with --tune 86400.",
)
@click.option("--simulate", is_flag=True, help="Compile nothing; write a model for the simulator.")
@click.option("--force", is_flag=True, help="Compile anew, and replace an output that exists.")
@json_option
def command(
    model: Optional[str],
    atc_flags: Tuple[str, ...],
    out: Optional[str],
    docker: Optional[str],
    timeout_s: Optional[float],
    simulate: bool,
    force: bool,
    as_json: bool,
    **choices: object,
) -> None:
    """Compile the ONNX file MODEL for the board with atc, the compiler of Huawei's CANN toolkit.

    Without MODEL the newest .onnx with a model card in this folder is taken. atc is looked for on
    PATH and in the usual folders, or run with --docker; where there is none, a folder with all that
    another machine needs is written. Beside the .om come its card and atc's log.

    What follows -- goes to atc as it is.
    """
    from atlas_hpe_export.convert import (
        compile_om,
        convert_to_dict,
        describe_convert,
        newest_model,
        parse_options,
    )

    if model is not None and model.startswith("--"):  # the first word after -- with no MODEL
        atc_flags, model = (model, *atc_flags), None
    options = parse_options(atc_flags=atc_flags, **choices)  # type: ignore[arg-type]
    if model is None:
        chosen = newest_model(Path())
        say(f"taking {chosen}, the newest .onnx with a card in this folder")
    else:
        chosen = Path(model)
    report = compile_om(
        chosen,
        out,
        options=options,
        docker=docker,
        timeout_s=timeout_s,
        force=force,
        simulate=simulate,
        show=_say_if_heard,
    )
    for line in describe_convert(report):
        say(line)
    say_next("atlas-hpe", "inspect", report.path)
    if as_json:
        emit_json(convert_to_dict(report))


def _say_if_heard(line: str) -> None:
    """A compilation of hours goes on when nobody reads along any more; its log has everything."""
    with suppress(OSError):
        say(line)
