"""Where a model departs from its reference: layer by layer, and down to one node."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Tuple, Union

import onnx

from atlas_hpe.parity import TOLERANCES, Tolerance
from atlas_hpe.parity.sample import Feeds
from atlas_hpe_export.model_file import load_onnx
from atlas_hpe_export.parity.bisect import bisect_graph
from atlas_hpe_export.parity.bisection import Bisection, check_folder
from atlas_hpe_export.parity.half_precision import emulate_half
from atlas_hpe_export.parity.layers import LayerReport, compare_layers
from atlas_hpe_export.parity.reference import NetworkOptions, is_onnx

__all__ = ["bisect_model", "check_bisection_folder", "compare_model_layers"]

_HALF = "half against float32"


def compare_model_layers(
    model: Union[str, Path],
    feeds: Feeds,
    reference: Optional[Union[str, Path]] = None,
    *,
    options: Optional[NetworkOptions] = None,
) -> List[Tuple[str, LayerReport]]:
    """Compare a model with its reference inside, on one sample.

    Args:
        model: The .onnx under test.
        feeds: Input name -> array.
        reference: What it was made from. A PyTorch file is compared module by module, another .onnx
            tensor by tensor.
        options: How to make a network of a PyTorch file.

    Returns:
        What was compared, in words, with what was found: the model with its reference if there is
        one, then the model in half precision with itself in float32.

    Raises:
        InputError: A file can't be used.
    """
    summary, proto = load_onnx(model)
    found: List[Tuple[str, LayerReport]] = []
    if reference is not None and is_onnx(Path(reference)):
        layers = compare_layers(load_onnx(reference)[1], proto, feeds)
        found.append((f"{Path(model).name} against {Path(reference).name}", layers))
    elif reference is not None:
        from atlas_hpe_export import open_network
        from atlas_hpe_export.parity.modules import compare_modules

        opened = open_network(Path(reference), summary, options or NetworkOptions())
        if opened.network is not None:
            layers = compare_modules(opened.network, proto, feeds)
            found.append((f"{Path(model).name} against PyTorch, by module", layers))
    return [*found, (_HALF, compare_layers(proto, emulate_half(proto), feeds))]


def check_bisection_folder(folder: Union[str, Path], *, force: bool) -> None:
    """Tell before any work whether ``bisect_model`` could write its files.

    Raises:
        OutputError: The folder is something else, or holds such files and ``force`` is false.
    """
    check_folder(Path(folder), force=force)


def bisect_model(
    model: Union[str, Path],
    feeds: Feeds,
    folder: Union[str, Path],
    reference: Optional[Union[str, Path]] = None,
    *,
    force: bool = False,
) -> Optional[Tuple[str, Bisection]]:
    """Find the first node that breaks its tolerance, and write it as a graph of its own.

    The model is held against the reference, when that is an .onnx, and then in half precision
    against itself in float32; the first pair with a break counts. A PyTorch reference has no nodes:
    ``compare_model_layers`` names the module there.

    Args:
        model: The .onnx under test.
        feeds: Input name -> array.
        folder: Where to write the graph with its inputs.
        reference: What the model was made from.
        force: Replace files that exist.

    Returns:
        What was compared, in words, with the node; None when no node breaks its tolerance.

    Raises:
        InputError: A file can't be used.
        OutputError: A file can't be written, or must not be.
    """
    _, proto = load_onnx(model)
    pairs: List[Tuple[str, onnx.ModelProto, onnx.ModelProto, Tolerance]] = []
    if reference is not None and is_onnx(Path(reference)):
        what = f"{Path(model).name} against {Path(reference).name}"
        pairs.append((what, load_onnx(reference)[1], proto, TOLERANCES["float32"]))
    pairs.append((_HALF, proto, emulate_half(proto), TOLERANCES["half"]))
    for what, expected, candidate, tolerance in pairs:
        found = bisect_graph(expected, candidate, feeds, tolerance, folder, force=force)
        if found is not None:
            return what, found
    return None
