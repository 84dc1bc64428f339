"""``atlas-hpe models``: what there is to run and to export."""

from __future__ import annotations

import click

from atlas_hpe.cli.report import emit_json, json_option

__all__ = ["command"]


@click.command("models")
@json_option
def command(as_json: bool) -> None:
    """List the models that ship with the package and the networks that can be exported."""
    from atlas_hpe.models import DEFAULT_MODEL, SHIPPED_MODELS
    from atlas_hpe.nets import NETWORKS

    if as_json:
        emit_json({"default": DEFAULT_MODEL, "models": SHIPPED_MODELS, "networks": NETWORKS})
        return
    click.echo("models, ready to run:")
    for name, line in SHIPPED_MODELS.items():
        click.echo(f"  {name:<15}{line}{' (default)' if name == DEFAULT_MODEL else ''}")
    click.echo("networks, for atlas-hpe export --arch:")
    for name, line in NETWORKS.items():
        click.echo(f"  {name:<15}{line}")
