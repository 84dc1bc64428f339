"""The .om and its card get their names together, and are found again."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from typing import Optional

from atlas_hpe.card import BuildRecord, ModelCard, build_from_value, card_path_of, find_card
from atlas_hpe.errors import AtlasHpeError
from atlas_hpe.files import read_bytes, sha256_of
from atlas_hpe.om_file import parse_om
from atlas_hpe.outfile import AtomicFile
from atlas_hpe_export.convert.job import ConvertJob
from atlas_hpe_export.convert.record import build_path_of, built_card, host_name, write_record

__all__ = ["find_current", "make_record", "publish"]


def make_record(
    job: ConvertJob, om: bytes, compiler: str, duration_s: float, peak_memory_mb: Optional[float]
) -> BuildRecord:
    """How an .om was made, for its card."""
    return BuildRecord(
        compiler=compiler,
        simulated=False,
        options=job.recorded_options,
        onnx_sha256=sha256_of(job.model),
        om_sha256=hashlib.sha256(om).hexdigest(),
        duration_s=round(duration_s, 3),
        peak_memory_mb=None if peak_memory_mb is None else round(peak_memory_mb, 1),
        host=host_name(),
    )


def publish(job: ConvertJob, om: bytes, record: BuildRecord, *, force: bool) -> Optional[ModelCard]:
    """Write the .om and its card, both or none.

    The old card goes first and the new one comes last: should the machine stop between two of the
    steps, there is an .om without a card, which every program refuses, and never one with another
    model's card.

    Returns:
        The card as it was written, None without one.

    Raises:
        OutputError: A file exists and ``force`` is false, or the disk refuses.
    """
    card = _finished_card(job, om, record)
    with AtomicFile(job.out, force=force) as file:
        file.write(om)
        file.flush()  # a full disk shows before anything is replaced
        if force:
            for path in (card_path_of(job.out), build_path_of(job.out)):
                with suppress(FileNotFoundError):
                    path.unlink()
    try:
        write_record(job.out, record, card, job.argv, force=force)
    except BaseException:
        with suppress(FileNotFoundError):
            job.out.unlink()
        raise
    return card


def find_current(job: ConvertJob, compiler: str) -> Optional[BuildRecord]:
    """The record of the output that is there, if the same request would make the same again.

    None when there is no output, it was changed, or something else was asked then.
    """
    try:
        card = find_card(job.out)
        record = _read_record(job) if card is None else card.provenance.build
        om = read_bytes(job.out)
        if record is None or record.om_sha256 != hashlib.sha256(om).hexdigest():
            return None
        expected = _finished_card(job, om, record)
        wanted = make_record(job, om, compiler, 0.0, None)
    except (AtlasHpeError, OSError, ValueError, KeyError, TypeError):
        return None  # what can't be read is no output of ours
    if (record.compiler, record.options, record.onnx_sha256) != (
        wanted.compiler,
        wanted.options,
        wanted.onnx_sha256,
    ):
        return None
    return record if card == expected else None


def _finished_card(job: ConvertJob, om: bytes, record: BuildRecord) -> Optional[ModelCard]:
    """The card of the .om, with the output sizes that came out."""
    if job.card is None:
        return None
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
