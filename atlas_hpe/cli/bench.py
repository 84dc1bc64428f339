"""``atlas-hpe bench``: how fast a model runs here."""

from __future__ import annotations

from typing import Optional, Tuple

import click

from atlas_hpe.cli.report import emit_json, json_option, say

__all__ = ["command"]

_COUNT = click.IntRange(min=1)


@click.command("bench")
@click.argument("model")
@click.option("--backend", default="auto", show_default=True, help="Back-end of the runtime.")
@click.option(
    "--device", default=0, show_default=True, type=click.IntRange(min=0), help="Number of it."
)
@click.option(
    "--warm-up",
    default=10,
    show_default=True,
    type=click.IntRange(min=0),
    help="Runs before any is counted.",
)
@click.option("--loops", default=100, show_default=True, type=_COUNT, help="Runs that are counted.")
@click.option("--loads", default=5, show_default=True, type=_COUNT, help="Loads that are counted.")
@click.option(
    "--threads", type=_COUNT, metavar="N", help="Processor threads of one run (onnxruntime)."
)
@click.option(
    "--callers",
    default=1,
    show_default=True,
    type=_COUNT,
    help="Threads that run the model at once, each with a session of its own.",
)
@click.option(
    "--in-flight",
    default=1,
    show_default=True,
    type=_COUNT,
    help="Runs submitted before the first result is taken.",
)
@click.option("--batch", type=_COUNT, metavar="N", help="Batch of a model with an open one.")
@click.option("--half", is_flag=True, help="Emulate the board's half precision (onnxruntime).")
@click.option(
    "--provider",
    "providers",
    multiple=True,
    metavar="NAME",
    help="Where ONNX Runtime computes; may repeat, the first that can takes a node.",
)
@click.option("--out", metavar="FILE", help="Write the report: .json.")
@click.option("--compare", metavar="FILE", help="Show ratios to a report written before.")
@click.option("--force", is_flag=True, help="Replace a report that exists.")
@json_option
def command(
    model: str,
    out: Optional[str],
    compare: Optional[str],
    force: bool,
    as_json: bool,
    providers: Tuple[str, ...],
    **settings: object,
) -> None:
    """Run MODEL on random pictures and show the time of each step.

    Half, nine tenths and 99 of 100 of the times are at most p50, p90 and p99. Every line says what
    was measured and on what; a simulator's figure is no time of a device.
    """
    from atlas_hpe.outfile import check_out_path
    from atlas_hpe_runtime.bench import (
        BENCH_SUFFIXES,
        BenchSettings,
        bench_model,
        bench_to_dict,
        describe_bench,
        describe_comparison,
        read_bench_report,
        write_bench_report,
    )

    if out is not None:
        check_out_path(out, BENCH_SUFFIXES, force=force)
    other = None if compare is None else read_bench_report(compare)
    asked = BenchSettings(providers=providers, **settings)  # type: ignore[arg-type]
    report = bench_model(model, asked, against=other)
    for line in describe_bench(report):
        say(line)
    if other is not None:
        for line in describe_comparison(report, other):
            say(line)
    if out is not None:
        say(f"wrote {write_bench_report(report, out, force=force)}")
    if as_json:
        emit_json(bench_to_dict(report))
