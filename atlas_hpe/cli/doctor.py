"""``atlas-hpe doctor``: what this machine has and what it lacks."""

from __future__ import annotations

from dataclasses import asdict

import click

from atlas_hpe.cli.report import emit_json, json_option, say

__all__ = ["command"]


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Show Python, extras and back-ends, and for each missing one the command that adds it."""
    from atlas_hpe.doctor import examine_machine

    diagnosis = examine_machine()
    if as_json:
        emit_json(asdict(diagnosis))
        return
    click.echo(f"atlas-hpe {diagnosis.version}, Python {diagnosis.python} on {diagnosis.platform}")
    for finding in diagnosis.findings:
        click.echo(f"  {'ok' if finding.present else 'missing':<9}{finding.name:<28}{finding.text}")
        if finding.fix:
            click.echo(f"           fix: {finding.fix}")
    lacking = [finding.name for finding in diagnosis.findings if not finding.present]
    say("everything is here" if not lacking else "missing: " + ", ".join(lacking))
