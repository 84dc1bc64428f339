"""The rules of atc that a command can break, said before it runs for minutes and fails.

They are those of ascend.md sections 3.1, 3.6 and 4.6.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import (
    AbstractSet,
    Callable,
    Container,
    FrozenSet,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from atlas_hpe.aipp import find_normalisation
from atlas_hpe.errors import UsageError
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe.targets import find_release, has_flag
from atlas_hpe_export.convert.request.command import AtcCommand
from atlas_hpe_export.convert.request.extra import TYPED_OPTIONS, spoken
from atlas_hpe_export.steps import BATCH_STEP

__all__ = [
    "check_command",
    "check_normalisation",
    "check_release",
    "find_batch_warnings",
    "find_warnings",
]

_PROFILES = ("dynamic_batch_size", "dynamic_image_size", "dynamic_dims")
_DYNAMIC = (*_PROFILES, "input_shape_range")
_MIN_PROFILES, _MAX_PROFILES = 2, 100


@dataclass(frozen=True)
class _Case:
    """What the rules look at: flags by name, the graph, its nodes, and the input with AIPP."""

    flags: Mapping[str, str]
    files: Mapping[str, str]
    summary: OnnxSummary
    nodes: FrozenSet[str]
    extra: Container[str]
    picture: Optional[str]

    def spoken(self, flag: str) -> str:
        """A flag as the user gave it."""
        return spoken(flag, self.extra)

    def contradiction(self, flags: Sequence[str], why: str, fix: str) -> UsageError:
        """The error for flags that don't go together."""
        where = " and ".join(map(self.spoken, flags))
        return UsageError("the options contradict each other", where=where, why=why, fix=fix)


def check_command(command: AtcCommand, summary: OnnxSummary, nodes: Sequence[str]) -> None:
    """Hold a command against the rules.

    Args:
        command: The command.
        summary: The graph.
        nodes: Names of its nodes.

    Raises:
        UsageError: A rule is broken; the first one.
    """
    case = _Case(
        flags=command.values,
        files=command.files,
        summary=summary,
        nodes=frozenset(nodes),
        extra=command.extra,
        picture=command.picture,
    )
    for rule in _RULES:
        error = rule(case)
        if error is not None:
            raise error


def check_normalisation(command: AtcCommand, model: Path) -> None:
    """Mean and std must be applied once: by the graph or by AIPP.

    Args:
        command: The command.
        model: The ONNX file.

    Raises:
        UsageError: The card leaves it to AIPP, and the graph does it too.
    """
    if command.aipp is None or command.card is None or command.card.preprocess.where == "graph":
        return
    if not any(command.card.preprocess.mean) and set(command.card.preprocess.std) == {1.0}:
        return  # AIPP passes 0..255 on
    node = find_normalisation(model, command.card.graphs[0].inputs[0].name)
    if node is not None:
        raise UsageError(
            "the picture would be normalised twice",
            where=f"node '{node}'",
            why="the graph subtracts or divides by constants at its input, and AIPP would do what "
            "the card says once more",
            fix="export the network without its own normalisation, or leave --input out",
        )


def _one_kind_of_profile(case: _Case) -> Optional[UsageError]:
    given = [flag for flag in _DYNAMIC if flag in case.flags]
    if len(given) < 2:
        return None
    return case.contradiction(
        given, "a model has one kind of dynamic sizes at most", "keep one of them, fix the others"
    )


def _number_of_profiles(case: _Case) -> Optional[UsageError]:
    for flag in _PROFILES:
        separator = "," if flag == "dynamic_batch_size" else ";"
        count = len(case.flags[flag].split(separator)) if flag in case.flags else _MIN_PROFILES
        if not _MIN_PROFILES <= count <= _MAX_PROFILES:
            return UsageError(
                f"{count} dynamic sizes are given",
                where=case.spoken(flag),
                why=f"atc takes {_MIN_PROFILES} to {_MAX_PROFILES} of them",
                fix="give fewer, or several models",
            )
    return None


def _layout_of_profiles(case: _Case) -> Optional[UsageError]:
    layout = case.flags.get("input_format", "NCHW")
    if "dynamic_dims" in case.flags and layout != "ND":
        return case.contradiction(
            ["dynamic_dims"], "it needs the layout ND", "add --input_format=ND"
        )
    if "dynamic_image_size" in case.flags and layout not in ("NCHW", "NHWC"):
        return case.contradiction(
            ["dynamic_image_size", "input_format"],
            "dynamic image sizes need the layout NCHW or NHWC",
            "leave --input_format out",
        )
    return None


def _aipp_without_dynamic_dims(case: _Case) -> Optional[UsageError]:
    if not {"insert_op_conf", "dynamic_dims"} <= set(case.flags):
        return None
    return case.contradiction(
        ["insert_op_conf", "dynamic_dims"],
        "AIPP does not work with dynamic_dims",
        "use --batch or --image-size for several sizes",
    )


def _aipp_without_fp16_input(case: _Case) -> Optional[UsageError]:
    """E10034. A file of the user's own names its input by a number, which is left to atc."""
    if case.picture is None or case.picture not in _split(case, "input_fp16_nodes"):
        return None
    return case.contradiction(
        ["insert_op_conf", "input_fp16_nodes"],
        f"AIPP makes uint8 of the input '{case.picture}', so it can't be fp16 (E10034)",
        "leave that input out of --input_fp16_nodes",
    )


def _one_precision(case: _Case) -> Optional[UsageError]:
    if not {"precision_mode", "precision_mode_v2"} <= set(case.flags):
        return None
    return case.contradiction(
        ["precision_mode", "precision_mode_v2"], "atc takes one of the two", "leave one out"
    )


def _keep_dtype_has_an_effect(case: _Case) -> Optional[UsageError]:
    if "keep_dtype" not in case.flags:
        return None
    if case.flags.get("precision_mode") != "must_keep_origin_dtype":
        return None
    return case.contradiction(
        ["keep_dtype", "precision_mode"],
        "with must_keep_origin_dtype every node keeps its element type already",
        "leave one out",
    )


def _list_with_its_mode(case: _Case) -> Optional[UsageError]:
    flags = case.flags
    if "optypelist_for_implmode" not in flags or "op_select_implmode" in flags:
        return None
    return case.contradiction(
        ["optypelist_for_implmode"],
        "the list has a meaning only with --op_select_implmode",
        "add --op_select_implmode=high_precision",
    )


def _open_axes_have_sizes(case: _Case) -> Optional[UsageError]:
    """E10012, E10040."""
    if "input_shape_range" in case.flags:
        return None
    if "input_shape" not in case.flags:
        return _graph_is_static(case)
    profile = next((flag for flag in _PROFILES if flag in case.flags), None)
    is_open = "-1" in case.flags["input_shape"].replace(":", ",").replace(";", ",").split(",")
    if is_open and profile is None:
        return UsageError(
            "an axis of an input is left open, and nothing says which sizes it takes",
            where=f"--input_shape={case.flags['input_shape']}",
            why="-1 needs a list of sizes (E10012)",
            fix="give every axis a size, or add --batch 1,2,4 or --image-size 256x256,320x320",
        )
    if profile is not None and not is_open:
        return UsageError(
            "several sizes are given, and no axis is open for them",
            where=f"{case.spoken(profile)}, --input_shape={case.flags['input_shape']}",
            why="the axis that changes has to be -1 (E10012)",
            fix="write -1 for that axis",
        )
    return None


def _graph_is_static(case: _Case) -> Optional[UsageError]:
    for spec in case.summary.inputs:
        if any(size < 0 for size in spec.shape):
            shape = ",".join(str(size) if size > 0 else "?" for size in spec.shape)
            return UsageError(
                "an input of the graph has an open axis",
                where=f"input '{spec.name}', {shape}",
                why="atc compiles for sizes that it knows",
                fix="add --batch 1, --image-size HxW, or "
                f"--input-shape {spec.name}:{shape.replace('?', 'SIZE')}",
            )
    return None


def _named_nodes_exist(case: _Case) -> Optional[UsageError]:
    """E10016: nodes in keep_dtype, out_nodes and input_fp16_nodes, inputs in input_shape."""
    inputs = {spec.name for spec in case.summary.inputs}
    outputs = {spec.name for spec in case.summary.outputs}
    shapes = [part.rpartition(":")[0] for part in _split(case, "input_shape")]
    cut = [part for part in _split(case, "out_nodes") if part not in outputs]
    kept = case.files.get(case.flags.get("keep_dtype", ""), "").split("\n")
    operators = {f"OpType::{name}" for name in case.summary.operators}
    for flag, names, known in (
        ("input_shape", shapes, inputs),
        ("input_fp16_nodes", _split(case, "input_fp16_nodes"), inputs),
        ("out_nodes", [part.rpartition(":")[0] or part for part in cut], frozenset()),
        ("keep_dtype", [name.strip() for name in kept if name.strip()], operators),
    ):
        for name in names:
            if name not in known and (known is inputs or name not in case.nodes):
                kind, names_there = ("input", inputs) if known is inputs else ("node", case.nodes)
                return _no_such_name(case.spoken(flag), name, kind, names_there)
    return None


def _split(case: _Case, flag: str) -> List[str]:
    return [part.strip() for part in case.flags.get(flag, "").split(";") if part.strip()]


def _no_such_name(where: str, name: str, kind: str, known: AbstractSet[str]) -> UsageError:
    near = difflib.get_close_matches(name, sorted(known), cutoff=0.4)
    return UsageError(
        f"the graph has no {kind} '{name}'",
        where=where,
        why="atc would refuse it (E10016); simplifiers rename nodes",
        fix="names like it: " + ", ".join(near) if near else "look at the graph in an ONNX viewer",
    )


def _weights_stay_inside(case: _Case) -> Optional[UsageError]:
    if case.flags.get("external_weight", "0") == "0":
        return None
    return UsageError(
        "the weights have to stay in the .om",
        where=case.spoken("external_weight"),
        why="atc would write them into a folder beside it, and the .om is all that is kept",
        fix="leave --external_weight out",
    )


_RULES: Tuple[Callable[[_Case], Optional[UsageError]], ...] = (
    _one_kind_of_profile,
    _number_of_profiles,
    _layout_of_profiles,
    _aipp_without_dynamic_dims,
    _aipp_without_fp16_input,
    _one_precision,
    _keep_dtype_has_an_effect,
    _list_with_its_mode,
    _open_axes_have_sizes,
    _named_nodes_exist,
    _weights_stay_inside,
)


def check_release(command: AtcCommand, cann: Optional[str]) -> None:
    """Refuse flags that the release of the compiler is known not to have.

    Raises:
        UsageError: There is one.
    """
    for name, value in command.values.items():
        for asked in (None, value):
            if cann is not None and has_flag(name, cann, value=asked) is False:
                said = f"--{name}" if asked is None else f"--{name}={asked}"
                option = TYPED_OPTIONS.get(name, f"--{name}")
                raise UsageError(
                    f"the compiler of CANN {cann} does not know {said}",
                    where=option,
                    fix=f"leave {option} out, or compile with a release that has it",
                )


def find_warnings(command: AtcCommand, summary: OnnxSummary, cann: Optional[str]) -> List[str]:
    """What atc may stumble over, and what the user may not expect, a sentence each."""
    warnings = []
    opset = summary.opsets.get("ai.onnx")
    release = None if cann is None else find_release(cann)
    if release is not None and release.opsets is not None and opset is not None:
        first, last = release.opsets
        if not first <= opset <= last:
            warnings.append(
                f"the graph has opset {opset}, and CANN {cann} takes {first} to {last}: atc may "
                "find no parser for its operators (E19010); atlas-hpe export lowers a graph"
            )
    if len(summary.opsets) > 1:
        names = ", ".join(summary.opsets)
        warnings.append(
            f"the graph imports several operator sets ({names}), and atc takes one for nodes "
            "without a domain (E16005)"
        )
    batches = command.values.get("dynamic_batch_size", "1").split(",")
    if "1" not in batches:
        warnings.append("1 is not among the batches, and the pipelines feed one picture at a time")
    return warnings + find_batch_warnings(command)


def find_batch_warnings(command: AtcCommand) -> List[str]:
    """What the export found out about a graph that is to take several pictures at once."""
    shapes = command.values.get("input_shape", "").split(";")
    batches = {shape.rpartition(":")[2].partition(",")[0] for shape in shapes}
    if command.card is None or batches <= {"", "1"}:
        return []
    found = [said for said in command.card.provenance.refused if said.startswith(BATCH_STEP)]
    return [f"{said}; another batch may fail, or mix pictures up" for said in found]
