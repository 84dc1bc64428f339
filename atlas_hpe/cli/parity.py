"""``atlas-hpe parity``: does the exported model still say what PyTorch said?"""

from __future__ import annotations

from typing import Optional

import click

from atlas_hpe.cli.report import emit_json, json_option, say, say_next

__all__ = ["command"]


@click.command("parity")
@click.argument("checkpoint")
@click.argument("model")
@click.option("--images", metavar="FOLDER", help="Pictures to compare on; default: drawn hands.")
@click.option("--arch", metavar="NAME", help="Network; default: recognised by its tensors.")
@json_option
def command(
    checkpoint: str, model: str, images: Optional[str], arch: Optional[str], as_json: bool
) -> None:
    """Compare the PyTorch CHECKPOINT with the exported MODEL.onnx in tensors and in joints.

    Exit code 1 when a joint moves by more than the table of tolerances allows.
    """
    from atlas_hpe.errors import CheckFailedError
    from atlas_hpe_export import compare_checkpoint, describe_parity, parity_to_dict
    from atlas_hpe_pipelines import decode_joints, prepare_image
    from atlas_hpe_pipelines.drawn_hand import draw_feeds

    report = compare_checkpoint(
        checkpoint,
        model,
        arch=arch,
        images=images,
        prepare=prepare_image,
        decode_joints=decode_joints,
        draw_feeds=draw_feeds,
    )
    for line in describe_parity(report):
        say(line)
    if as_json:
        emit_json(parity_to_dict(report))
    if not report.passed:
        raise CheckFailedError(
            "the model does not say what PyTorch says",
            where=model,
            why="; ".join(report.failures),
            fix=f"export it again: atlas-hpe export {checkpoint} --out {model} --force",
        )
    if images is None:
        say_next("atlas-hpe", "parity", checkpoint, model, "--images", "FOLDER")
    say_next("atlas-hpe", "run", "VIDEO", "--model", model, "--out", "hands.gif")
