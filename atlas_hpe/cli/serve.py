"""``atlas-hpe serve``: a run that is watched in a browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Mapping, Optional

import click

from atlas_hpe.cli.pipeline_options import (
    PipelineChoice,
    describe_pipeline,
    open_pipeline,
    pipeline_options,
)
from atlas_hpe.cli.report import emit_json, say
from atlas_hpe.stopping import stop_requests

if TYPE_CHECKING:
    from atlas_hpe_pipelines import Pipeline, Sink

__all__ = ["command"]

_STANDARD_INPUT = "-"
_LOOK_S = 0.1


@click.command("serve")
@pipeline_options
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at. Others than this machine's own 127.0.0.1 ask for a token.",
)
@click.option(
    "--port",
    default=8040,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 takes any that is free.",
)
@click.option(
    "--token",
    envvar="ATLAS_HPE_TOKEN",
    show_envvar=True,
    help="What viewers have to show; default: a random one where one is needed.",
)
@click.option("--once", is_flag=True, help="Play a recorded source once, not again and again.")
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON.")
def command(
    choice: PipelineChoice,
    host: str,
    port: int,
    token: Optional[str],
    once: bool,
    as_json: bool,
) -> None:
    """Show the hands in SOURCE on a web page, until Ctrl-C.

    The page has the picture with the hands, a hand that can be turned, and the time of each step.
    """
    from atlas_hpe_pipelines.serve import LivePage, check_web_extra
    from atlas_hpe_runtime.session import BASIS_SIMULATED

    check_web_extra()

    def make_pipeline(sinks: Mapping[str, Sink]) -> Pipeline:
        return open_pipeline(choice, sinks=sinks)

    page = LivePage(
        make_pipeline,
        host=host,
        port=port,
        token=token,
        once=once or choice.source == _STANDARD_INPUT,  # what has been read there is gone
        tell=lambda error: say(f"error: {error}"),
    )
    with page:
        # Opened here, so that a wrong name ends the command before anybody opens the page.
        first = make_pipeline({"page": page.view})
        page.start(first)
        say(describe_pipeline(first, choice))
        if first.basis == BASIS_SIMULATED:
            say("no board: the Ascend device is simulated, and no time shown is one of a board")
        say(f"open {page.url}")
        say("Ctrl-C ends it")
        if as_json:
            emit_json({"url": page.url})
        # Nobody but its user ends a server: that is no interruption of its work.
        with stop_requests() as is_asked:
            while not is_asked():
                time.sleep(_LOOK_S)
