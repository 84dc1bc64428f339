"""What does feeding a picture cost with AIPP, and reading what is inside an .om?

    python benchmarks/aipp_feed.py [--frames N] [--om FILE] [--json]

One crop of 256x256 px becomes what the model takes, on one thread: bytes in each of the forms of
AIPP, and the normalised float32 of a model without it. All take turns, so that they see the same
load of the machine; a form's ratio to float32 is the figure to watch. An .om's summary is read from
a file of 100 MB that is nearly all weights, or from the one that is given, in turn with reading
all of its bytes. No figure is one of a board.
"""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Callable, Dict, List

import cv2
import numpy as np

from atlas_hpe.aipp import card_with_aipp, choose_aipp_input
from atlas_hpe.card import INPUT_FORMS, ModelCard, load_card
from atlas_hpe.models import default_model_path
from atlas_hpe.om_file import read_om_summary
from atlas_hpe.protowire import write_field
from atlas_hpe_pipelines import to_feeds

SIDE_PX = 256
HOST = "float32"
OM_BYTES = 100_000_000
OM_RUNS = 20
NODES = 500

Work = Callable[[], object]


def time_in_turn(works: Dict[str, Work], rounds: int) -> Dict[str, float]:
    """Median milliseconds of a call of each, after a tenth of the rounds to warm up."""
    times: Dict[str, List[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started = perf_counter()
            work()
            times[name].append(1e3 * (perf_counter() - started))
    return {name: statistics.median(values[rounds // 10 :]) for name, values in times.items()}


def make_cards() -> Dict[str, ModelCard]:
    """The shipped model's card at the size of the bench, without AIPP and in each form."""
    card = load_card(default_model_path())
    preprocess = replace(card.preprocess, width_px=SIDE_PX, height_px=SIDE_PX)
    card = replace(card, preprocess=preprocess)
    mean, std = preprocess.mean[:1], preprocess.std[:1]
    gray = replace(card, preprocess=replace(preprocess, colour="gray", mean=mean, std=std))
    cards = {HOST: card}
    for form in INPUT_FORMS:
        base = gray if form == "gray" else card
        cards[form] = card_with_aipp(base, choose_aipp_input(base.preprocess, form))
    return cards


def measure_feeds(frames: int) -> Dict[str, Dict[str, float]]:
    """Per form: bytes that are fed, milliseconds, and the ratio to float32."""
    crop = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
    cards = make_cards()
    feeds = {name: to_feeds(card, crop) for name, card in cards.items()}

    def fill(name: str) -> Work:
        return lambda: to_feeds(cards[name], crop, feeds[name])

    times = time_in_turn({name: fill(name) for name in cards}, frames)
    return {
        name: {
            "bytes": sum(array.nbytes for array in feeds[name].values()),
            "ms": time,
            "ratio": time / times[HOST],
        }
        for name, time in times.items()
    }


def write_om(path: Path) -> None:
    """An .om of 100 MB: a definition with some nodes, then weights (ascend.md section 6)."""
    nodes = (write_field(1, f"conv_{index}") + write_field(2, "Conv2D") for index in range(NODES))
    graph = write_field(1, "bench_0") + b"".join(write_field(6, node) for node in nodes)
    definition = write_field(1, "bench") + write_field(7, graph)
    head = 256 + 4 + 2 * 12
    weights = OM_BYTES - head - len(definition)
    header = bytearray(256)
    struct.pack_into("<4sII", header, 0, b"IMOD", 256, 0x10000000)
    struct.pack_into("<I", header, 76, OM_BYTES - 256)
    table = struct.pack("<7I", 2, 0, 0, len(definition), 1, len(definition), weights)
    path.write_bytes(bytes(header) + table + definition + bytes(weights))


def measure_om(path: Path) -> Dict[str, float]:
    """Milliseconds of the summary, those of all the bytes, and their ratio."""
    works: Dict[str, Work] = {
        "summary_ms": lambda: read_om_summary(path),
        "bytes_ms": lambda: path.read_bytes(),
    }
    times = time_in_turn(works, OM_RUNS)
    size = float(path.stat().st_size)
    return {"bytes": size, **times, "ratio": times["summary_ms"] / times["bytes_ms"]}


def describe(feeds: Dict[str, Dict[str, float]], om: Dict[str, float]) -> str:
    """The figures as text."""
    lines = [
        f"one crop of {SIDE_PX}x{SIDE_PX} px, one thread, this host, no board",
        "fed           KiB       ms  of float32",
    ]
    lines += [
        f"{name:<9}{row['bytes'] / 1024:>8.0f} {row['ms']:>8.3f} {row['ratio']:>11.2f}"
        for name, row in feeds.items()
    ]
    lines.append(
        f"summary of an .om of {om['bytes'] / 1e6:.1f} MB: {om['summary_ms']:.2f} ms = "
        f"{om['ratio']:.2f} of reading its bytes ({om['bytes_ms']:.2f} ms)"
    )
    return "\n".join(lines)


def main() -> None:
    """Command line of the bench."""
    parser = argparse.ArgumentParser(description="what feeding AIPP and reading an .om cost")
    parser.add_argument("--frames", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--om", type=Path, help="read this .om; default: one of 100 MB")
    parser.add_argument("--json", action="store_true", help="print the figures to stdout")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    feeds = measure_feeds(options.frames)
    with tempfile.TemporaryDirectory() as folder:
        path = options.om or Path(folder) / "bench.om"
        if options.om is None:
            write_om(path)
        om = measure_om(path)
    print(describe(feeds, om), file=sys.stderr)
    if options.json:
        print(json.dumps({"feeds": feeds, "om": om}))


if __name__ == "__main__":
    main()
