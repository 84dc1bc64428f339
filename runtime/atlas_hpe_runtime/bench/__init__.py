"""How fast a model runs here: times of its steps, and a report that others compare with."""

from __future__ import annotations

from atlas_hpe_runtime.bench.compare import check_comparable, describe_comparison
from atlas_hpe_runtime.bench.measure import bench_model
from atlas_hpe_runtime.bench.report import (
    BENCH_VERSION,
    BenchReport,
    BenchSettings,
    bench_to_dict,
    describe_bench,
)
from atlas_hpe_runtime.bench.report_file import (
    BENCH_SUFFIXES,
    read_bench_report,
    write_bench_report,
)

__all__ = [
    "BENCH_SUFFIXES",
    "BENCH_VERSION",
    "BenchReport",
    "BenchSettings",
    "bench_model",
    "bench_to_dict",
    "check_comparable",
    "describe_bench",
    "describe_comparison",
    "read_bench_report",
    "write_bench_report",
]
