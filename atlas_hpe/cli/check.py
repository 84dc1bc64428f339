"""``atlas-hpe check``: will the board's compiler take this ONNX file?"""

from __future__ import annotations

from typing import Optional

import click

from atlas_hpe.cli.report import emit_json, json_option, say, say_next

__all__ = ["command"]


@click.command("check")
@click.argument("model")
@click.option("--soc", default="Ascend310", show_default=True, help="Board's chip.")
@click.option("--cann", default="6.0", show_default=True, help="Its toolchain: 5.0, 5.1 or 6.0.")
@click.option(
    "--inputs",
    metavar="FILE.npz",
    help="Arrays by input name: run the model on them and look for values that float16 loses.",
)
@json_option
def command(model: str, soc: str, cann: str, inputs: Optional[str], as_json: bool) -> None:
    """Hold every node of the ONNX file MODEL against what the board takes and computes.

    Exit code 1 when something stops it. An array in --inputs has the shape of its input, or one
    axis more in front that counts samples.
    """
    from atlas_hpe.errors import CheckFailedError
    from atlas_hpe_export import check_onnx, check_to_dict, describe_check

    report = check_onnx(model, soc=soc, cann=cann, inputs=inputs)
    for line in describe_check(report):
        say(line)
    if as_json:
        emit_json(check_to_dict(report))
    if report.is_mendable:
        say_next("atlas-hpe", "export", model, "--out", "fixed.onnx")
    if not report.passed:
        rules = sorted({item.rule for item in report.findings if item.severity == "blocker"})
        raise CheckFailedError(
            f"the model is not fit for {soc} with CANN {cann}", where=model, why=", ".join(rules)
        )
