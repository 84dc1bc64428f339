"""The stand-in's command line: which flags there are, and which values and pairs they take.

Written after ascend.md section 3.1; independent of what builds command lines in the package.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

Flags = Dict[str, str]


class Refusal(Exception):
    """What atc reports: a code (None for what has none) and its text; ``more`` continues it."""

    def __init__(self, code: Optional[str], text: str, more: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.more = tuple(more)


Rule = Callable[[str, str], None]


def bad_value(name: str, value: str, reason: str) -> Refusal:
    return Refusal(
        "E10001", f"Value [{value}] for parameter [--{name}] is invalid. Reason: {reason}."
    )


def one_of(*values: str) -> Rule:
    def check(name: str, value: str) -> None:
        if value not in values:
            raise bad_value(name, value, "it must be one of " + ", ".join(values))

    return check


def list_of(*values: str) -> Rule:
    def check(name: str, value: str) -> None:
        if any(part not in values for part in value.split(",")):
            raise bad_value(name, value, "it must be made of " + ", ".join(values))

    return check


def number(least: int, most: int) -> Rule:
    def check(name: str, value: str) -> None:
        if not re.match(r"[0-9]{1,9}$", value) or not least <= int(value) <= most:
            raise bad_value(name, value, f"it must be within {least} and {most}")

    return check


def switch(name: str, value: str) -> None:
    if value not in ("0", "1"):
        text = f"Value [{value}] for parameter [--{name}] is invalid. It must be 1 or 0."
        raise Refusal("E10006", text)


def true_or_false(name: str, value: str) -> None:
    if value not in ("true", "false"):
        text = f"Value [{value}] for parameter [--{name}] is invalid. It must be true or false."
        raise Refusal("E10005", text)


def log_level(name: str, value: str) -> None:
    if value not in ("null", "debug", "info", "warning", "error"):
        raise Refusal("E10010", f"Value [{value}] for parameter [--log] is invalid.")


def file_there(name: str, value: str) -> None:
    if not Path(value).is_file():
        code = "E10410" if name == "keep_dtype" else "E13026"
        raise Refusal(code, f"File [{value}] of parameter [--{name}] does not exist.")


def anything(name: str, value: str) -> None:
    """Checked elsewhere, or not known."""


def soc(name: str, value: str) -> None:
    known = r"Ascend(310|310P[1-7]|310B[1-4]|910A|910B|910ProA|910ProB|910PremiumA)$"
    if not re.match(known, value):
        raise bad_value(name, value, "the soc_version is not supported")


_OUTPUT_TYPES = r"(FP32|FP16|UINT8|INT8)$|[^:;]+:\d+:(FP32|FP16|UINT8|INT8)(;|$)"


def output_type(name: str, value: str) -> None:
    if not re.match(_OUTPUT_TYPES, value):
        raise bad_value(name, value, "no such type")


_PRECISIONS = (
    "force_fp16",
    "force_fp32",
    "allow_mix_precision",
    "allow_fp32_to_fp16",
    "must_keep_origin_dtype",
)
RULES: Dict[str, Rule] = {
    "model": file_there,
    "weight": file_there,
    "framework": one_of("0", "1", "3", "5"),
    "output": anything,
    "soc_version": soc,
    "input_format": one_of("NCHW", "ND", "NCDHW"),
    "input_shape": anything,
    "input_shape_range": anything,
    "dynamic_batch_size": anything,
    "dynamic_image_size": anything,
    "dynamic_dims": anything,
    "insert_op_conf": file_there,
    "precision_mode": one_of(*_PRECISIONS),
    "op_precision_mode": file_there,
    "modify_mixlist": file_there,
    "keep_dtype": file_there,
    "op_select_implmode": one_of("high_performance", "high_precision"),
    "optypelist_for_implmode": anything,
    "output_type": output_type,
    "out_nodes": anything,
    "input_fp16_nodes": anything,
    "is_input_adjust_hw_layout": true_or_false,
    "is_output_adjust_hw_layout": true_or_false,
    "enable_small_channel": switch,
    "buffer_optimize": one_of("l2_optimize", "l1_optimize", "off_optimize"),
    "fusion_switch_file": file_there,
    "disable_reuse_memory": switch,
    "log": log_level,
    "mode": one_of("0", "1", "3", "5", "6"),
    "om": file_there,
    "json": anything,
    "dump_mode": switch,
    "check_report": anything,
    "debug_dir": anything,
    "op_debug_level": number(0, 4),
    "op_compiler_cache_mode": one_of("disable", "enable", "force"),
    "op_compiler_cache_dir": anything,
    "op_bank_path": anything,
    "mdl_bank_path": anything,
    "core_type": one_of("AiCore", "VectorCore"),
    "aicore_num": number(1, 64),
    "device_id": number(0, 63),
    "host_env_os": anything,
    "host_env_cpu": anything,
    "singleop": file_there,
    "enable_compress_weight": true_or_false,
}
#: CANN 5.x only: later releases have the AOE tool instead.
OLD_RULES: Dict[str, Rule] = {"auto_tune_mode": list_of("GA", "RL")}
#: Releases after the last one for the board.
NEW_RULES: Dict[str, Rule] = {
    "precision_mode_v2": one_of("fp16", "origin", "cube_fp16in_fp32out", "mixed_float16"),
    "display_model_info": switch,
    "external_weight": switch,
}


def parse_flags(arguments: Sequence[str], cann: str) -> Flags:
    """``--name=value`` each, with known names and fitting values."""
    rules = dict(RULES)
    rules.update(OLD_RULES if cann.startswith("5.") else {})
    rules.update(NEW_RULES if int(cann.split(".")[0]) >= 7 else {})
    flags: Flags = {}
    for argument in arguments:
        if not argument.startswith("--") or "=" not in argument:
            raise Refusal("E10054", f"[{argument}] is no --name=value; are values quoted?")
        name, _, value = argument[2:].partition("=")
        if name not in rules:
            raise Refusal(None, f"ERROR: unknown command line flag '{name}'")
        if not value:
            raise Refusal("E10004", f"Value for [--{name}] is empty.")
        flags[name] = value
    for name, value in flags.items():
        rules[name](name, value)
    check_required(flags)
    check_exclusions(flags)
    return flags


def check_required(flags: Flags) -> None:
    mode = flags.get("mode", "0")
    needed = {"0": ("model", "output"), "1": ("om", "json"), "6": ("om",)}.get(mode)
    if needed is None:
        raise bad_value("mode", mode, "the stand-in has modes 0, 1 and 6")
    for name in needed:
        if name not in flags:
            raise Refusal("E10004", f"Value for [--{name}] is empty.")
    if mode != "0":
        return
    if "framework" not in flags:
        raise Refusal("E10007", "[--framework] is required. The value must be 0, 1, 3 or 5.")
    if flags["framework"] != "5":
        raise bad_value("framework", flags["framework"], "the stand-in reads ONNX, which is 5")
    if "soc_version" not in flags:
        raise Refusal("E10054", "The required parameter [--soc_version] for ATC is empty.")


DYNAMIC = ("dynamic_batch_size", "dynamic_image_size", "dynamic_dims", "input_shape_range")


def check_exclusions(flags: Flags) -> None:
    dynamic = [name for name in DYNAMIC if name in flags]
    if len(dynamic) > 1:
        raise Refusal(
            "E10009", " and ".join(f"[--{name}]" for name in dynamic) + " exclude each other."
        )
    if "precision_mode" in flags and "precision_mode_v2" in flags:
        raise Refusal("E10047", "[--precision_mode] and [--precision_mode_v2] exclude each other.")
    if "optypelist_for_implmode" in flags and "op_select_implmode" not in flags:
        value = flags["optypelist_for_implmode"]
        raise bad_value("optypelist_for_implmode", value, "it needs [--op_select_implmode]")
    if "dynamic_dims" in flags:
        if flags.get("input_format") != "ND":
            raise bad_value("dynamic_dims", flags["dynamic_dims"], "[--input_format] must be ND")
        if "insert_op_conf" in flags:
            raise bad_value("dynamic_dims", flags["dynamic_dims"], "not with [--insert_op_conf]")
    if "dynamic_image_size" in flags and flags.get("input_format", "NCHW") != "NCHW":
        raise bad_value("dynamic_image_size", flags["dynamic_image_size"], "NCHW or NHWC only")
    if "fusion_switch_file" in flags:
        check_fusion_file(flags["fusion_switch_file"])


def check_fusion_file(path: str) -> None:
    text = Path(path).read_text(encoding="utf-8")
    if text.lstrip().startswith("{"):
        return
    for line in text.split():
        if not re.match(r"[\w]+:(on|off)$", line):
            raise bad_value("fusion_switch_file", path, f"[{line}] is not PassName:on or :off")


def parse_input_shape(text: str) -> Dict[str, Tuple[int, ...]]:
    shapes: Dict[str, Tuple[int, ...]] = {}
    for part in text.split(";"):
        name, colon, dims = part.rpartition(":")
        if not colon or not name or not re.match(r"-?[0-9]{1,9}(,-?[0-9]{1,9})*$", dims):
            wanted = "input_name1:n1,c1,h1,w1;input_name2:n2,c2,h2,w2"
            text = f"Value [{text}] for parameter [--input_shape] is invalid. "
            raise Refusal("E10002", text + f"The value must be formatted as [{wanted}].")
        shapes[name] = tuple(int(size) for size in dims.split(","))
        if any(size == 0 or size < -1 for size in shapes[name]):
            raise Refusal("E10011", f"Value [{dims}] of [--input_shape] has an impossible size.")
    return shapes


def parse_profiles(flags: Flags) -> List[Tuple[int, ...]]:
    """What the one dynamic flag lists, as tuples."""
    name = next(name for name in DYNAMIC if name in flags)
    text = flags[name]
    parts = text.split("," if name == "dynamic_batch_size" else ";")
    code = "E10020" if name == "dynamic_image_size" else "E10014"
    profiles = []
    for part in parts:
        if not re.match(r"[0-9]{1,9}(,[0-9]{1,9})*$", part):
            raise Refusal(code, f"Value [{text}] for parameter [--{name}] is invalid.")
        profiles.append(tuple(int(size) for size in part.split(",")))
    if name == "dynamic_image_size" and any(len(profile) != 2 for profile in profiles):
        raise Refusal(code, f"Value [{text}] for parameter [--{name}] is invalid.")
    if len(profiles) < 2:
        raise Refusal(
            "E10035", f"[--{name}] has {len(profiles)} profiles, less than the minimum 2."
        )
    if len(profiles) > 100:
        raise Refusal("E10036", f"[--{name}] has {len(profiles)} profiles, more than 100.")
    if len(set(map(len, profiles))) != 1:
        raise Refusal("E10037", f"The profiles of [--{name}] differ in their dimension counts.")
    if any(size < 1 for profile in profiles for size in profile):
        raise Refusal("E10038", f"A size in [--{name}] is invalid. It must be greater than 0.")
    if len(set(profiles)) != len(profiles):
        raise Refusal("E10039", f"[--{name}] has duplicate profiles.")
    return profiles
