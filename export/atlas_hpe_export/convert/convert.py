"""The flow: an ONNX file in, an .om with its card and its log out."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import BinaryIO, Callable, Optional, Sequence, Tuple, Union

from atlas_hpe.cann import check_memory
from atlas_hpe.card import BuildRecord, ModelCard, find_card
from atlas_hpe.errors import AtlasHpeError, DeviceError, UsageError
from atlas_hpe.outfile import disk_error
from atlas_hpe.simulated_file import SIMULATED_SUFFIX, is_simulated_name
from atlas_hpe.version import __version__
from atlas_hpe_export.convert.atc.container import DOCKER_REFUSED, refused_error
from atlas_hpe_export.convert.atc.process import ProcessResult
from atlas_hpe_export.convert.atc.toolchain import Toolchain, find_toolchain, run_atc
from atlas_hpe_export.convert.bundle import hand_over
from atlas_hpe_export.convert.cache import CachedModel, cache_key, open_cache, why_not_kept
from atlas_hpe_export.convert.faults import decode_log_file, fault_error
from atlas_hpe_export.convert.job import ConvertJob, prepare_job
from atlas_hpe_export.convert.log import log_path_of, open_log
from atlas_hpe_export.convert.publish import check_outputs, find_current, publish
from atlas_hpe_export.convert.record import make_record
from atlas_hpe_export.convert.report import ConvertReport
from atlas_hpe_export.convert.request.checks import (
    check_release,
    find_batch_warnings,
    find_warnings,
)
from atlas_hpe_export.convert.request.options import ConvertOptions
from atlas_hpe_export.convert.scratch import scratch_folder, take_model

__all__ = ["DEFAULT_TIMEOUT_S", "compile_om", "newest_model"]

#: A small network takes a minute or two, on an ARM machine many; a search (--tune) takes hours.
DEFAULT_TIMEOUT_S = 3600.0
TUNE_TIMEOUT_S = 24 * 3600.0
_DEFAULTS = ConvertOptions()

Show = Callable[[str], None]


def compile_om(
    model: Union[str, Path],
    out: Union[str, Path, None] = None,
    *,
    options: ConvertOptions = _DEFAULTS,
    docker: Optional[str] = None,
    timeout_s: Optional[float] = None,
    force: bool = False,
    simulate: bool = False,
    show: Show = lambda line: None,
) -> ConvertReport:
    """Compile an ONNX file with atc, or stand in for it.

    Beside the .om come ``<out>.json``, its card with the build record, and ``<out>.log``,
    everything that atc said. The log is written as it comes and stays after a failure; the other
    two are there together or not at all. What was compiled before is taken from the user's cache.

    Args:
        model: The ONNX file.
        out: The .om; None for the model's name in the working directory.
        options: What is asked of the compiler.
        docker: Image with the CANN toolkit to run it in; None for an installed one.
        timeout_s: Seconds after which it is stopped; None for an hour, or a day with a search.
        force: Compile anew, and replace an output that exists.
        simulate: Write a model for the simulator instead, without any compiler.
        show: Takes lines for a person, as they come.

    Raises:
        InputError: The model can't be read or used.
        UsageError: The options break a rule of atc.
        OutputError: The output exists and is another one, another process is writing it, or the
            disk refuses.
        DeviceError: There is no compiler, or it failed.
    """
    if timeout_s is None:
        timeout_s = DEFAULT_TIMEOUT_S if options.tune is None else TUNE_TIMEOUT_S
    if not timeout_s > 0:
        raise UsageError("the time limit has to be above 0", where=f"--timeout-s {timeout_s:g}")
    if simulate and docker is not None:
        raise UsageError("a simulated model needs no compiler", where="--simulate, --docker")
    job = prepare_job(model, out, options, suffix=SIMULATED_SUFFIX if simulate else ".om")
    if not simulate and is_simulated_name(job.out):
        raise UsageError(
            "that is the name of a simulated model, and every program would take it for one",
            where=f"--out {job.out}",
            fix="name it .om alone",
        )
    if simulate:
        return _simulate(job, force, show)
    toolchain = find_toolchain(docker, os.environ)
    warnings = find_warnings(
        job.command, job.summary, None if toolchain is None else toolchain.cann
    )
    _show_warnings(warnings, show)
    if toolchain is None:
        raise hand_over(job, force=force)
    check_release(job.command, toolchain.cann)
    current = None if force else find_current(job, toolchain.name)
    if current is not None:
        return _report(job, "up to date", current, find_card(job.out), warnings)
    check_outputs(job, force=force)
    state, record, card = _find_or_compile(job, toolchain, timeout_s, force=force, show=show)
    return _report(job, state, record, card, warnings)


def _find_or_compile(
    job: ConvertJob, toolchain: Toolchain, timeout_s: float, *, force: bool, show: Show
) -> Tuple[str, BuildRecord, Optional[ModelCard]]:
    """Write the model from the cache, or one that is compiled now and kept there.

    Raises:
        DeviceError: Too little memory; or atc failed, took too long, or wrote nothing of use.
        OutputError: The disk refuses, or another process is writing the same model.
    """
    reason = why_not_kept(job.command.flags)
    if reason is not None:
        show(f"the compiled model is not kept: {reason}")
    cache = open_cache(os.environ, show) if reason is None else None
    key = cache_key(job.model, job.command.flags, job.command.files, toolchain.identity)
    found = None if cache is None or force else cache.lookup(key)
    if found is None:
        check_memory()
    with open_log(job.out) as log:  # until the model has its name
        if found is not None:
            state = "cached"
            _write_log(log, found.log)
        else:
            state = "compiled"
            show(f"compiling for {job.soc} with {toolchain.name}; everything it says: {log.name}")
            found = _compile(job, toolchain, log, timeout_s, show)
            if cache is not None:
                cache.store(key, found)
        card = publish(job, found.om, found.record, force=force)
    return state, found.record, card


def _compile(
    job: ConvertJob, toolchain: Toolchain, log: BinaryIO, timeout_s: float, show: Show
) -> CachedModel:
    """Run atc in a scratch folder and take what it wrote."""
    _write_log(log, f"# atlas-hpe {__version__}, {toolchain.name}\n# {job.command_line}\n")
    with scratch_folder(job) as folder:
        result = run_atc(
            toolchain,
            job.argv,
            folder=folder,
            log=log,
            timeout_s=timeout_s,
            show=lambda line: show(f"  atc | {line}"),
        )
        _check_result(job, toolchain, result, timeout_s)
        om = take_model(folder, job, log_path_of(job.out))
    record = make_record(
        job, om, toolchain.name, result.duration_s, peak_memory_mb=result.peak_memory_mb
    )
    log.seek(0)
    return CachedModel(om, record, log.read().decode("utf-8", "replace"))


def _check_result(
    job: ConvertJob, toolchain: Toolchain, result: ProcessResult, timeout_s: float
) -> None:
    log = log_path_of(job.out)
    if result.timed_out:
        raise DeviceError(
            f"atc was stopped after {timeout_s:g} s, its time limit",
            where=job.model,
            why=f"the log so far is {log}",
            fix="give it more time with --timeout-s; atc is slow on ARM machines and with --tune",
        )
    if toolchain.image is not None and result.status == DOCKER_REFUSED:
        raise refused_error(toolchain.image, log)
    if result.status != 0:
        faults = decode_log_file(log, job.model, status=result.status)
        raise fault_error(faults, model=job.model, log=log)


def _write_log(log: BinaryIO, text: str) -> None:
    try:
        log.write(text.encode("utf-8"))
        log.flush()
    except OSError as error:
        raise disk_error(Path(log.name), error) from error


def _show_warnings(warnings: Sequence[str], show: Show) -> None:
    for warning in warnings:
        show(f"warning: {warning}")


def _simulate(job: ConvertJob, force: bool, show: Show) -> ConvertReport:
    """Write a model for the simulator, with the parts that a compiling machine may lack."""
    from atlas_hpe_export.convert.simulate import SIMULATED_BY, check_simulated_path, simulate_om

    check_simulated_path(job.out)
    current = None if force else find_current(job, SIMULATED_BY)
    if current is None:
        check_outputs(job, force=force)
    started = time.perf_counter()
    om, ignored = simulate_om(job)
    notes = [*find_batch_warnings(job.command), *ignored]
    _show_warnings(notes, show)
    if current is not None:
        return _report(job, "up to date", current, find_card(job.out), notes)
    duration_s = time.perf_counter() - started
    record = make_record(job, om, SIMULATED_BY, duration_s, simulated=True)
    card = publish(job, om, record, force=force)
    return _report(job, "simulated", record, card, notes)


def _report(
    job: ConvertJob,
    state: str,
    record: BuildRecord,
    card: Optional[ModelCard],
    warnings: Sequence[str],
) -> ConvertReport:
    log = log_path_of(job.out)
    return ConvertReport(
        path=job.out,
        card=card,
        soc=job.soc,
        state=state,
        command=None if record.simulated else job.command_line,
        toolchain=record.compiler,
        size_bytes=job.out.stat().st_size,
        duration_s=record.duration_s,
        peak_memory_mb=record.peak_memory_mb,
        log=log if not record.simulated and log.exists() else None,
        warnings=tuple(warnings),
    )


def newest_model(folder: Path) -> Path:
    """The newest .onnx of a folder that carries a card.

    Raises:
        UsageError: There is none.
    """
    for path in sorted(folder.glob("*.onnx"), key=_modified, reverse=True):
        try:
            if find_card(path) is not None:
                return path
        except AtlasHpeError:
            continue  # a damaged one is not what the user means
    raise UsageError(
        "there is no .onnx with a card in this folder",
        where=folder.resolve(),
        fix="name the model, or make one: atlas-hpe export CHECKPOINT --out MODEL.onnx",
    )


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # a link to nothing
        return 0.0
