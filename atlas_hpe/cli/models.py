"""``atlas-hpe models``: what there is to run and to export."""

from __future__ import annotations

import click

from atlas_hpe.cli.report import emit_json, json_option

__all__ = ["command"]


@click.command("models")
@json_option
def command(as_json: bool) -> None:
    """List the models that ship with the package and the networks that can be exported."""
    from atlas_hpe.models import DEFAULT_DETECTOR, DEFAULT_MODEL, SHIPPED_MODELS
    from atlas_hpe.nets import NETWORKS

    if as_json:
        defaults = {"default": DEFAULT_MODEL, "default_detector": DEFAULT_DETECTOR}
        emit_json({**defaults, "models": SHIPPED_MODELS, "networks": NETWORKS})
        return
    click.echo("models, ready to run:")
    for name, line in SHIPPED_MODELS.items():
        is_default = name in (DEFAULT_MODEL, DEFAULT_DETECTOR)
        click.echo(f"  {name:<15}{line}{' (default)' if is_default else ''}")
    click.echo("networks, for atlas-hpe export --arch:")
    for name, line in NETWORKS.items():
        click.echo(f"  {name:<15}{line}")
