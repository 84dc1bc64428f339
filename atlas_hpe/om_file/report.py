"""An .om file's summary in words."""

from __future__ import annotations

from textwrap import wrap
from typing import List, Mapping, Sequence

from atlas_hpe.om_file.spec import (
    AippValue,
    OmAipp,
    OmHeader,
    OmModel,
    OmProfiles,
    OmSummary,
    OmTensor,
)

__all__ = ["describe_aipp", "describe_om"]

_HEADER_BYTES = 256
_MAX_OPTIONS = 200
_AIPP_MODES = {
    "dynamic": "dynamic, the program gives the settings",
    "parameters": "takes the settings of dynamic AIPP",
    "unknown": "the file does not say whether static or dynamic",
}
_WIDTH, _INDENT = 100, 14
_NO_BREAK = "\0"  # stands for a blank inside a word while lines are wrapped
_MATRIX = [[f"matrix_r{row}c{column}" for column in range(3)] for row in range(3)]
# Heading -> the settings behind it, in the order of work (ascend.md sections 4.1 and 4.2).
_AIPP_LISTS = {
    "input bias": [f"input_bias_{channel}" for channel in range(3)],
    "output bias": [f"output_bias_{channel}" for channel in range(3)],
    "mean": [f"mean_chn_{channel}" for channel in range(4)],
    "min": [f"min_chn_{channel}" for channel in range(4)],
    "var_reci": [f"var_reci_chn_{channel}" for channel in range(4)],
}


def describe_om(summary: OmSummary) -> List[str]:
    """The lines of a report, each indented by two spaces."""
    lines = [*_describe_header(summary.header)]
    count = len(summary.models)
    for index, model in enumerate(summary.models, 1):
        place = f" ({index} of {count})" if count > 1 else ""
        lines.append(_line("model", f"{model.name or 'without a name'}{place}"))
        lines += _describe_model(model, summary.header)
    return lines


def _line(label: str, text: str) -> str:
    return f"  {label:<{_INDENT - 2}}{text}"


def _describe_header(header: OmHeader) -> List[str]:
    notes = [
        f"{header.file_bytes:,} bytes",
        f"version {header.version:#x}",
        f"{header.table} partition table",
    ]
    notes += [] if header.model_type == "ir" else [f"model type {header.model_type}"]
    notes += ["dynamic shape"] if header.dynamic_shape else []
    lines = [_line("file", ", ".join(notes))]
    if header.encrypted:
        lines.append(_line("encrypted", "only the partitions can be told apart"))
    after = header.file_bytes - _HEADER_BYTES - header.length_bytes
    if after:
        lines.append(_line("", f"{after:,} bytes follow that do not belong to the model"))
    return lines


def _describe_model(model: OmModel, header: OmHeader) -> List[str]:
    lines: List[str] = []
    if not header.encrypted:
        lines += [_line("chip", model.soc or "not stated"), _line("compiler", _compiler(model))]
    for label, ports in (("input", model.inputs), ("output", model.outputs)):
        lines += [_line(label, _tensor(port)) for port in ports]
    for port in model.inputs:
        if port.aipp is not None:
            lines += describe_aipp(port.name, port.aipp)
    if model.profiles is not None:
        lines.append(_line("profiles", _profiles(model.profiles)))
    lines.append(_line("weights", f"{model.weights_bytes:,} bytes"))
    if model.memory_bytes is not None:
        lines.append(_line("memory", f"{model.memory_bytes:,} bytes on the device, weights apart"))
    if model.operators:
        lines += _operators(model.operators)
    for index, part in enumerate(model.partitions):
        where = f"{part.kind:<20}{part.size_bytes:>14,} bytes from byte {part.offset}"
        lines.append(_line("" if index else "partitions", where))
    if model.atc_command is not None:
        lines += _command(model.atc_command)
    return lines


def _compiler(model: OmModel) -> str:
    parts = [f"atc {model.atc_version}" if model.atc_version else "atc, version not stated"]
    parts += [f"CANN {model.cann_version}"] if model.cann_version else []
    if model.opp_version and model.opp_version != model.atc_version:
        parts.append(f"operators {model.opp_version}")
    parts += [f"from {model.framework}"] if model.framework else []
    parts += [f"target {model.target}"] if model.target else []
    return ", ".join(parts)


def _tensor(port: OmTensor) -> str:
    shape = "x".join("?" if axis < 0 else str(axis) for axis in port.shape) or "scalar"
    size = "size not stated" if port.size_bytes is None else f"{port.size_bytes:,} bytes"
    return f"{port.name} {port.dtype} {shape}{' ' if port.format else ''}{port.format}, {size}"


def _profiles(profiles: OmProfiles) -> str:
    by = "x" if profiles.kind == "image size" else ","
    values = (by.join(map(str, value)) for value in profiles.values)
    note = " (height x width)" if profiles.kind == "image size" else ""
    return f"{profiles.kind}{note}: {'; '.join(values)}"


def _operators(operators: Mapping[str, int]) -> List[str]:
    """The most frequent first."""
    ordered = sorted(operators.items(), key=lambda item: (-item[1], item[0]))
    # A name is one word for the wrapping, whatever it holds.
    words = [f"{_NO_BREAK.join(name.split())}{_NO_BREAK}x{count}" for name, count in ordered]
    lines = wrap(", ".join(words), _WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False)
    return [
        _line("" if index else "operators", text.replace(_NO_BREAK, " "))
        for index, text in enumerate(lines)
    ]


def _command(command: str) -> List[str]:
    """The program, and each option on a line of its own."""
    program, *options = command.split()[:_MAX_OPTIONS] or [""]
    return [_line("command", program), *(_line("", option) for option in options)]


def describe_aipp(name: str, aipp: OmAipp) -> List[str]:
    """What AIPP does to an input, in the order of its work; the lines are indented as a report's.

    Args:
        name: Name of the input.
        aipp: Its settings.
    """
    settings = aipp.settings
    words = [f"{name}: {_AIPP_MODES.get(aipp.mode, aipp.mode)}"]
    words += [str(settings["input_format"])] if "input_format" in settings else []
    words += _pair(settings, "picture {}x{}", "src_image_size_w", "src_image_size_h")
    words += _pair(settings, "at most {} bytes", "max_src_image_size")
    words += ["red and blue (or U and V) swapped"] if settings.get("rbuv_swap_switch") else []
    words += ["first channel moved to the end"] if settings.get("ax_swap_switch") else []
    lines = [words]
    if settings.get("crop"):
        lines.append(
            _pair(settings, "cut {}x{}", "crop_size_w", "crop_size_h")
            + _pair(settings, "from column {}, row {}", "load_start_pos_w", "load_start_pos_h")
        )
    if settings.get("csc_switch"):
        rows = " / ".join(filter(None, (_numbers(settings, row) for row in _MATRIX)))
        lines.append([f"colour matrix {rows or 'not stated'}", *_lists(settings, "input bias")])
        lines[-1] += _lists(settings, "output bias")
    lines.append([word for key in ("mean", "min", "var_reci") for word in _lists(settings, key)])
    if settings.get("padding"):
        sides = [f"{side}_padding_size" for side in ("left", "right", "top", "bottom")]
        lines.append(_pair(settings, "padding left {}, right {}, top {}, bottom {}", *sides))
    filled = [", ".join(words) for words in lines if words]
    return [_line("" if index else "aipp", text) for index, text in enumerate(filled)]


def _pair(settings: Mapping[str, AippValue], text: str, *names: str) -> List[str]:
    """The text with the settings filled in, if the file has them."""
    if not all(name in settings for name in names):
        return []
    return [text.format(*(settings[name] for name in names))]


def _lists(settings: Mapping[str, AippValue], heading: str) -> List[str]:
    numbers = _numbers(settings, _AIPP_LISTS[heading])
    return [f"{heading} {numbers}"] if numbers else []


def _numbers(settings: Mapping[str, AippValue], names: Sequence[str]) -> str:
    values = (settings[name] for name in names if name in settings)
    return ",".join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in values)
