"""Write a clip of the drawn hand: ``python -m atlas_hpe_pipelines.drawn_hand OUT.mp4``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Tuple

import click

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_pipelines.drawn_hand.video import write_clip


def _parse_size(_context: click.Context, _option: click.Parameter, text: str) -> Tuple[int, int]:
    width, separator, height = text.lower().partition("x")
    if not (separator and width.isdigit() and height.isdigit()):
        raise click.BadParameter(f"'{text}' is not WIDTHxHEIGHT, for example 480x480")
    return int(width), int(height)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--frames", default=90, show_default=True, help="Number of frames.")
@click.option(
    "--size", "size_px", default="480x480", show_default=True, callback=_parse_size,
    metavar="WxH", help="Width and height in pixels.",
)  # fmt: skip
@click.option("--fps", default=30.0, show_default=True, help="Frames per second.")
@click.option("--seed", default=0, show_default=True, help="Decides look and motion.")
@click.option("--force", is_flag=True, help="Overwrite OUT and its joints.")
def command(
    out: Path, frames: int, size_px: Tuple[int, int], fps: float, seed: int, force: bool
) -> None:
    """Draw a moving hand into OUT.mp4, with its exact joints in OUT.mp4.joints.json."""
    try:
        truth = write_clip(out, frames, size_px, fps, seed, force=force)
    except AtlasHpeError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"wrote {out} ({frames} frames) and {truth}", err=True)


if __name__ == "__main__":
    command()
