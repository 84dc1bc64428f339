"""The options as atc's command line and the files that it names (ascend.md section 3.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Dict, Mapping, Optional, Tuple

from atlas_hpe.card import AippInput, ModelCard
from atlas_hpe.errors import ModelFileError, UsageError
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe.targets import find_soc
from atlas_hpe_export.convert.request.aipp import make_aipp
from atlas_hpe_export.convert.request.extra import check_extra, parse_extra, take_files
from atlas_hpe_export.convert.request.options import TUNE_MODES, ConvertOptions, precision_mode
from atlas_hpe_export.convert.request.shapes import resized_card, shape_flags

__all__ = ["AtcCommand", "build_command"]

_ONNX = "5"  # --framework


@dataclass(frozen=True)
class AtcCommand:
    """What atc is asked, without the paths that vary: all that decides over the .om but the graph.

    Attributes:
        flags: ``--name=value`` each, without --model and --output; side files by their bare names.
        files: Name -> text of the side files, to lie in atc's working directory.
        extra: Names of the flags that the user gave to atc directly.
        card: The card of the network at the size that is compiled, still without AIPP.
        aipp: The pictures that the .om takes, None where the input stays as the graph has it.
        picture: Name of the input that AIPP prepares, None without.
    """

    flags: Tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    extra: Tuple[str, ...] = ()
    card: Optional[ModelCard] = None
    aipp: Optional[AippInput] = None
    picture: Optional[str] = None

    @property
    def values(self) -> Dict[str, str]:
        """Name -> value of the flags."""
        pairs = (flag[2:].partition("=") for flag in self.flags)
        return {name: value for name, _, value in pairs}

    def argv(self, name: str) -> Tuple[str, ...]:
        """The whole command, for ``<name>.onnx`` in the working directory."""
        return ("atc", f"--model={name}.onnx", f"--output={name}", *self.flags)


def build_command(
    options: ConvertOptions, summary: OnnxSummary, card: Optional[ModelCard] = None
) -> AtcCommand:
    """The command for a graph. ``checks.check_command`` holds it against atc's rules.

    Raises:
        UsageError: A value that atc would refuse, a flag that contradicts an option, or AIPP
            without a card.
        InputError: A file that a flag names can't be read.
        ModelFileError: The graph has no input.
    """
    if not summary.inputs:
        raise ModelFileError("the graph has no input", why="atc takes none without (E16001)")
    card = None if card is None else resized_card(options, card)
    typed = {"framework": _ONNX, "soc_version": find_soc(options.soc).name}
    typed.update(shape_flags(options, summary, card))
    files: Dict[str, str] = {}
    aipp = None
    if options.aipp is not None:
        aipp = make_aipp(options.aipp, card, summary, several_sizes=len(options.image_sizes) > 1)
        files["aipp.cfg"] = aipp.config
        typed["insert_op_conf"] = "aipp.cfg"
    _add_tuning(options, typed, files)
    extra = parse_extra(options.extra)
    check_extra(typed, extra, has_card=card is not None)
    extra, extra_files = take_files(extra)
    if aipp is not None:
        typed["enable_small_channel"] = "1"  # advised with static AIPP
    # Without it the lines behind an "inner error" go to a folder in the user's home alone.
    typed["log"] = "error"
    flags = {**typed, **extra}
    return AtcCommand(
        flags=tuple(f"--{name}={value}" for name, value in flags.items()),
        files={**files, **extra_files},
        extra=tuple(extra),
        card=card,
        aipp=None if aipp is None else aipp.pictures,
        picture=None if aipp is None else aipp.input_name,
    )


def _add_tuning(options: ConvertOptions, typed: Dict[str, str], files: Dict[str, str]) -> None:
    """Precision, fusion passes and the search for faster kernels."""
    if options.precision is not None:
        typed["precision_mode"] = precision_mode(options.precision)
    if options.keep_dtype:
        files["keep_dtype.cfg"] = "".join(f"{name}\n" for name in options.keep_dtype)
        typed["keep_dtype"] = "keep_dtype.cfg"
    if options.fusion_off:
        files["fusion_switch.cfg"] = _fusion_switches(options.fusion_off)
        typed["fusion_switch_file"] = "fusion_switch.cfg"
    if options.tune is not None:
        if options.tune not in TUNE_MODES:
            known = "choose one of: " + "; ".join(TUNE_MODES)
            raise UsageError(f"there is no search '{options.tune}'", where="--tune", fix=known)
        typed["auto_tune_mode"] = TUNE_MODES[options.tune]


def _fusion_switches(passes: Tuple[str, ...]) -> str:
    if "all" not in passes:
        return "".join(f"{name}:off\n" for name in passes)
    if len(passes) > 1:
        raise UsageError(
            "'all' switches off every fusion pass, the others too",
            where="--fusion-off",
            fix="give 'all' alone, or the names alone",
        )
    switches = {"Switch": {"GraphFusion": {"ALL": "off"}, "UBFusion": {"ALL": "off"}}}
    return json.dumps(switches, indent=2) + "\n"
