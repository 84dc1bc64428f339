"""The .om and what lies beside it get their names together, and are found again."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Optional, Tuple

from atlas_hpe.card import (
    BuildRecord,
    ModelCard,
    build_from_value,
    card_path_of,
    card_to_json,
    find_card,
)
from atlas_hpe.errors import AtlasHpeError
from atlas_hpe.files import read_bytes
from atlas_hpe.om_file import parse_om
from atlas_hpe.outfile import AtomicFile, check_out_path
from atlas_hpe_export.convert.cache import why_not_kept
from atlas_hpe_export.convert.job import ConvertJob
from atlas_hpe_export.convert.record import built_card

__all__ = ["build_path_of", "check_outputs", "find_current", "publish"]


def build_path_of(om: Path) -> Path:
    """Where the build record of a model without a card is: ``hand.om`` -> ``hand.om.build.json``.

    Under the card's own name it would be taken for one.
    """
    return om.with_name(om.name + ".build.json")


def check_outputs(job: ConvertJob, *, force: bool) -> None:
    """Tell before any work whether the .om and what belongs beside it can be written.

    A card that an earlier model of that name left would be taken for this one's, so it must not
    stay either.

    Raises:
        OutputError: As for ``check_out_path``.
    """
    check_out_path(job.out, [".om"], force=force)
    beside = card_path_of(job.out)
    if job.card is None and not beside.exists():
        beside = build_path_of(job.out)
    check_out_path(beside, [".json"], force=force)


def publish(job: ConvertJob, om: bytes, record: BuildRecord, *, force: bool) -> Optional[ModelCard]:
    """Write the .om and its card, or without a card the build record alone; both or none.

    Nothing is replaced before all is on the disk. Then the old card goes first and the new one
    comes last: should the machine stop between two of the steps, there is an .om without a card,
    which every program refuses, and never one with another model's card.

    Returns:
        The card as it was written, None without one.

    Raises:
        OutputError: A file exists and ``force`` is false, or the disk refuses.
    """
    card = _finished_card(job, om, record)
    path, text = _text_beside(job, record, card)
    check_outputs(job, force=force)
    published = False
    try:
        with AtomicFile(path, force=force) as beside:
            beside.write(text.encode("utf-8"))
            beside.flush()
            with AtomicFile(job.out, force=force) as file:
                file.write(om)
                file.flush()  # a full disk shows before anything is replaced
                for old in (card_path_of(job.out), build_path_of(job.out)):
                    with suppress(FileNotFoundError):
                        old.unlink()
            published = True
    except BaseException:
        if published:
            with suppress(FileNotFoundError):
                job.out.unlink()
        raise
    return card


def _text_beside(
    job: ConvertJob, record: BuildRecord, card: Optional[ModelCard]
) -> Tuple[Path, str]:
    if card is not None:
        return card_path_of(job.out), card_to_json(card)
    document = {
        "atc_command": None if record.simulated else job.command_line,
        "build": asdict(record),
    }
    return build_path_of(job.out), json.dumps(document, indent=2, sort_keys=True) + "\n"


def find_current(job: ConvertJob, compiler: str) -> Optional[BuildRecord]:
    """The record of the output that is there, if the same request would make the same again.

    None when there is no output, it was changed, something else was asked then, or something
    decides that no record holds.
    """
    try:
        if _goes_by_other_files(job):
            return None
        card = find_card(job.out)
        record = _read_record(job) if card is None else card.provenance.build
        om = read_bytes(job.out)
        if record is None or record.om_sha256 != hashlib.sha256(om).hexdigest():
            return None
        expected = _finished_card(job, om, record)
    except (AtlasHpeError, OSError, ValueError, KeyError, TypeError):
        return None  # what can't be read is no output of ours
    made = (record.compiler, dict(record.options), record.onnx_sha256)
    if made != (compiler, job.recorded_options, job.onnx_sha256):
        return None
    return record if card == expected else None


def _goes_by_other_files(job: ConvertJob) -> bool:
    """Whether weights beside the graph, or files and folders that flags name, decide too."""
    if job.summary.external_files or why_not_kept(job.command.flags):
        return True
    paths = map(Path, job.command.values.values())
    return any(path.is_absolute() and path.is_file() for path in paths)


def _finished_card(job: ConvertJob, om: bytes, record: BuildRecord) -> Optional[ModelCard]:
    """The card of the .om, with the output sizes that came out."""
    if job.card is None:
        return None
    if record.simulated:
        return built_card(job.card, record, job.out.name)
    card = built_card(job.card, record, job.out.name, job.argv)
    graph, found = card.graphs[0], parse_om(om).models[0].outputs
    if [len(one.shape) for one in found] != [len(one.shape) for one in graph.outputs]:
        return card
    outputs = tuple(
        replace(spec, shape=built.shape) if min(built.shape, default=1) > 0 else spec
        for spec, built in zip(graph.outputs, found)
    )
    return replace(card, graphs=(replace(graph, outputs=outputs), *card.graphs[1:]))


def _read_record(job: ConvertJob) -> BuildRecord:
    path = build_path_of(job.out)
    return build_from_value(json.loads(read_bytes(path).decode("utf-8"))["build"], str(path))
