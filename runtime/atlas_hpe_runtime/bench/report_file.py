"""A bench report as a file: written whole or not at all, read with one clear error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Dict, List, Mapping, NoReturn, Union

from atlas_hpe.errors import InputError
from atlas_hpe.files import read_bytes
from atlas_hpe.outfile import AtomicFile, check_out_path
from atlas_hpe_runtime.bench.feeds import FeedRange
from atlas_hpe_runtime.bench.machine import Machine
from atlas_hpe_runtime.bench.report import (
    BENCH_VERSION,
    BenchedModel,
    BenchReport,
    BenchSettings,
    Figures,
    bench_to_dict,
)

__all__ = ["BENCH_SUFFIXES", "read_bench_report", "write_bench_report"]

#: Suffixes that a report may have.
BENCH_SUFFIXES = (".json",)


def write_bench_report(report: BenchReport, path: Union[str, Path], *, force: bool) -> Path:
    """Write the JSON form.

    Raises:
        OutputError: The file can't be written, or exists and ``force`` is false.
    """
    path = check_out_path(path, BENCH_SUFFIXES, force=force)
    text = json.dumps(bench_to_dict(report), indent=2, sort_keys=True, allow_nan=False) + "\n"
    with AtomicFile(path, force=force) as out:
        out.write(text.encode("utf-8"))
    return path


def read_bench_report(path: Union[str, Path]) -> BenchReport:
    """Read what ``write_bench_report`` wrote.

    Raises:
        InputError: The file can't be read, is no report of a bench, or is of another version.
    """
    try:
        document = json.loads(read_bytes(path).decode("utf-8"), parse_constant=_refuse_constant)
        return _to_report(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        missing = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            "the file is not a report of atlas-hpe bench, or it is damaged",
            where=path,
            why=missing,
            fix="write it with: atlas-hpe bench MODEL --out report.json",
        ) from error


def _refuse_constant(constant: str) -> NoReturn:
    """NaN and Infinity: Python's reader takes them, JSON has no such numbers."""
    raise ValueError(f"{constant} is not a JSON number")


def _to_report(document: object) -> BenchReport:
    if not isinstance(document, dict):
        raise TypeError("it is not an object")
    version = document["bench_version"]
    if version != BENCH_VERSION:
        raise ValueError(f"its version is {version!r}, this release reads {BENCH_VERSION}")
    settings = dict(_members(document, "settings"))
    settings["providers"] = tuple(_items(settings, "providers"))
    return BenchReport(
        model=_to_model(_members(document, "model")),
        backend=str(document["backend"]),
        basis=str(document["basis"]),
        settings=BenchSettings(**settings),  # type: ignore[arg-type]
        frames_per_run=int(document["frames_per_run"]),
        feeds=tuple(_to_feed(item) for item in _items(document, "feeds")),
        machine=Machine(**_members(document, "machine")),  # type: ignore[arg-type]
        times={step: _to_figures(item) for step, item in _members(document, "times").items()},
        frames_per_s={
            way: _positive(rate, way) for way, rate in _members(document, "frames_per_s").items()
        },
    )


def _to_model(values: Mapping[str, object]) -> BenchedModel:
    model = BenchedModel(**values)  # type: ignore[arg-type]
    for name in ("file", "sha256"):
        if not isinstance(values[name], str):
            raise TypeError(f"'{name}' of the model is not a text")
    return model


def _to_feed(item: object) -> FeedRange:
    values = dict(item)  # type: ignore[call-overload]
    values["shape"] = tuple(_items(values, "shape"))
    return FeedRange(**values)


def _to_figures(item: object) -> Figures:
    values: Dict[str, object] = dict(item)  # type: ignore[call-overload]
    figures = Figures(**values)  # type: ignore[arg-type]
    for name in ("p50", "p90", "p99"):
        _positive(values[name], name)
    return figures


def _members(document: Mapping[str, object], key: str) -> Dict[str, object]:
    value = document[key]
    if not isinstance(value, dict):
        raise TypeError(f"'{key}' is not an object")
    return value


def _items(document: Mapping[str, object], key: str) -> List[object]:
    value = document[key]
    if not isinstance(value, list):
        raise TypeError(f"'{key}' is not an array")
    return value


def _positive(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"'{name}' is no time or rate: {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"'{name}' is not finite")
    return float(value)
