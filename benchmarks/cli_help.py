"""How long ``atlas-hpe --help`` takes, against starting Python alone, in the same run.

    python benchmarks/cli_help.py [--runs N] [--json]

The two are started in turn, so that the ratio holds when the machine's speed drifts. The target is
0.25 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from time import perf_counter
from typing import List

TARGET_S = 0.25
HELP = [sys.executable, "-c", "from atlas_hpe.cli import main; main()", "--help"]
NOTHING = [sys.executable, "-c", "pass"]


def time_s(command: List[str]) -> float:
    """Wall time of one run of a command."""
    started = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    time_s(HELP)  # the first run compiles the byte code
    pairs = [(time_s(HELP), time_s(NOTHING)) for _ in range(arguments.runs)]
    help_s = statistics.median(pair[0] for pair in pairs)
    nothing_s = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(first / second for first, second in pairs)
    print(
        f"atlas-hpe --help: {help_s:.3f} s (target {TARGET_S} s), Python alone {nothing_s:.3f} s, "
        f"ratio {ratio:.1f}",
        file=sys.stderr,
    )
    if arguments.json:
        print(json.dumps({"help_s": help_s, "python_s": nothing_s, "ratio": ratio}))


if __name__ == "__main__":
    main()
