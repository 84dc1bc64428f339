"""Resize: which coordinates, modes and ranks the board computes as ONNX says."""

from __future__ import annotations

from typing import Iterator, Tuple

from atlas_hpe_export.check.finding import BLOCKER, WARNING, Finding
from atlas_hpe_export.check.graph_view import GraphView, Node
from atlas_hpe_export.check.rules.rule import Rule

__all__ = ["RULES"]

_REWRITES = {"linear": "resize_half_pixel", "nearest": "resize_nearest"}
_HONOURED = ("asymmetric", "align_corners", "pytorch_half_pixel")
#: Coordinates and nearest_mode that, at a whole enlargement, name the pixels that asymmetric with
#: floor names: (i + 1/2) / s - 1/2 is less than 1/2 away from floor(i / s).
_SAME_PIXELS = frozenset(
    (coordinates, rounding)
    for coordinates in ("half_pixel", "pytorch_half_pixel")
    for rounding in ("round_prefer_floor", "round_prefer_ceil")
)


def _coordinates(view: GraphView, node: Node) -> str:
    """Until opset 10 there is one rule; from 11 on half_pixel is the default."""
    if view.opset < 11:
        return "asymmetric"
    return node.text("coordinate_transformation_mode", "half_pixel")


def _changes_nothing(node: Node) -> bool:
    before, after = node.input(0), node.output(0)
    if before is None or after is None or before.size is None:
        return False
    return before.shape == after.shape


def _rounding(view: GraphView, node: Node) -> str:
    """How nearest rounds; until opset 10 there is one rule."""
    return "floor" if view.opset < 11 else node.text("nearest_mode", "round_prefer_floor")


def _is_asymmetric_floor(view: GraphView, node: Node) -> bool:
    """Whether a nearest Resize picks the pixels that asymmetric with floor picks."""
    named = _coordinates(view, node), _rounding(view, node)
    return named == ("asymmetric", "floor") or (
        named in _SAME_PIXELS and _is_whole_enlargement(node)
    )


def _is_whole_enlargement(node: Node) -> bool:
    """Whether every axis grows by a whole number."""
    before, after = node.input(0), node.output(0)
    if before is None or after is None or not before.size or not after.size:
        return False
    sizes = zip(before.shape or (), after.shape or ())
    return all(old and new and new % old == 0 for old, new in sizes)


def _find_modes(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, Resize and Upsample: nearest and linear only."""
    for node in view.nodes_of("Resize", "Upsample"):
        mode = node.text("mode", "nearest")
        if mode not in ("nearest", "linear", "bilinear"):
            yield node.finding(
                "resize-mode",
                BLOCKER,
                f"{node.op_type} in mode {mode}",
                why="the plugin takes nearest and linear; it stops at 'Unsupported interpolation "
                "mode'",
                fix="atlas-hpe export says it as two products with constant matrices",
                rewrite="resize_cubic" if mode == "cubic" else None,
            )


def _find_coordinates(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, Resize: half-pixel centres only as pytorch_half_pixel."""
    for node in view.nodes_of("Resize"):
        coordinates = _coordinates(view, node)
        mode = node.text("mode", "nearest")
        if coordinates in _HONOURED or node.is_folded or _changes_nothing(node):
            continue
        if mode not in _REWRITES:
            continue  # refused for its mode, see ``_find_modes``
        if mode == "nearest" and _is_asymmetric_floor(view, node):
            continue
        rewrite = _REWRITES[mode] if coordinates == "half_pixel" else None
        yield node.finding(
            "resize-coordinates",
            BLOCKER,
            f"Resize {mode} with {coordinates} coordinates",
            why="the plugin of 2022 computes it as asymmetric: every pixel shifts, without an "
            "error",
            fix="atlas-hpe export says it in a form that the board honours"
            if rewrite
            else "interpolate with align_corners=True, or enlarge by a whole number with "
            "mode='nearest'",
            source="ascend.md section 3.7 and section 10, row 9",
            rewrite=rewrite,
        )


def _find_nearest_rounding(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, Resize: nearest_mode is not followed."""
    for node in view.nodes_of("Resize"):
        if node.text("mode", "nearest") != "nearest" or node.is_folded:
            continue
        if _is_asymmetric_floor(view, node) or _changes_nothing(node):
            continue
        yield node.finding(
            "resize-rounding",
            WARNING,
            f"Resize nearest with {_coordinates(view, node)} coordinates and "
            f"{_rounding(view, node)}",
            why="the plugin does not read nearest_mode; only asymmetric with floor is known to "
            "match",
            fix="atlas-hpe export says it as asymmetric with floor, or as a Gather",
            rewrite="resize_nearest",
        )


def _find_volumes(view: GraphView) -> Iterator[Finding]:
    """ascend.md section 3.7, Resize: 5-D only linear, with two of the coordinate rules."""
    for node in view.nodes_of("Resize"):
        data = node.input(0)
        if data is None or data.rank != 5 or node.is_folded:
            continue
        coordinates = _coordinates(view, node)
        is_linear = node.text("mode", "nearest") == "linear"
        if not is_linear or coordinates not in ("align_corners", "pytorch_half_pixel"):
            yield node.finding(
                "resize-5d",
                BLOCKER,
                f"Resize of a 5-D tensor, {node.text('mode', 'nearest')} with {coordinates}",
                why="in 5-D the plugin takes linear with align_corners or pytorch_half_pixel only",
                fix="fold depth into the batch or the channels and resize in 4-D",
            )


RULES: Tuple[Rule, ...] = (_find_modes, _find_coordinates, _find_nearest_rounding, _find_volumes)
