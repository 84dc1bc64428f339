"""A checkpoint against the ONNX file that came from it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterable, List, Optional, Sequence, Tuple, Union

from atlas_hpe.card import ModelCard, TensorSpec, load_card
from atlas_hpe.errors import CheckFailedError, InputError, UsageError
from atlas_hpe.nets.spec import NetworkSpec
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe_export.batchnorm import check_finite, freeze, repair_batch_norms
from atlas_hpe_export.checkpoint import load_checkpoint
from atlas_hpe_export.export import build_network
from atlas_hpe_export.feeds import DrawFeeds, Feeds, describe_feeds, make_feeds
from atlas_hpe_export.parity import DecodeJoints, compare
from atlas_hpe_export.parity_report import ParityReport
from atlas_hpe_export.recognition import recognise
from atlas_hpe_export.runners import module_runner
from atlas_hpe_export.wording import show_specs
from atlas_hpe_runtime import open_session

__all__ = ["PrepareImage", "compare_checkpoint"]

#: Card and picture file -> feeds of one sample.
PrepareImage = Callable[[ModelCard, Path], Feeds]

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_SAMPLES = 8


def compare_checkpoint(
    checkpoint_path: Union[str, Path],
    model_path: Union[str, Path],
    *,
    arch: Optional[str] = None,
    images: Optional[Union[str, Path]] = None,
    prepare: Optional[PrepareImage] = None,
    decode_joints: Optional[DecodeJoints] = None,
    draw_feeds: Optional[DrawFeeds] = None,
) -> ParityReport:
    """Compare a checkpoint in PyTorch with an exported model on ONNX Runtime.

    Args:
        checkpoint_path: State dict written by ``torch.save``.
        model_path: The .onnx, with its card.
        arch: Network; None to recognise it by its tensors.
        images: Folder of pictures; None for drawn hands or noise.
        prepare: Reads one picture as the card says; needed with ``images``.
        decode_joints: Joints from outputs; None to compare tensors only.
        draw_feeds: Inputs that show hands, for when there are no pictures; None for noise.

    Raises:
        InputError: A file can't be used: the checkpoint, the model, its card or the pictures.
        UsageError: Pictures without ``prepare``.
        CheckFailedError: The model's inputs or outputs are not those of the network.
    """
    if images is not None and prepare is None:
        raise UsageError("pictures can't be read without a function", fix="pass prepare=")
    # Both refuse damaged files and weights from outside the folder, before a library opens them.
    summary = read_onnx_summary(model_path)
    card = load_card(model_path)
    checkpoint = load_checkpoint(checkpoint_path)
    spec = recognise(checkpoint.state_dict, arch, where=checkpoint.path)
    _check_same_interface(spec, summary.inputs, summary.outputs, Path(model_path))
    network, _ = build_network(checkpoint, spec)
    repair_batch_norms(network)
    freeze(network)
    check_finite(network)
    if images is not None and prepare is not None:
        pictures = _list_pictures(Path(images))
        feeds: Iterable[Feeds] = (prepare(card, path) for path in pictures)
        source = f"{len(pictures)} pictures of {images}"
    else:
        source = describe_feeds(draw_feeds)
        if draw_feeds is not None:
            feeds = draw_feeds(card, _SAMPLES)
        else:
            feeds = make_feeds(spec.inputs, _SAMPLES)
    if card.provenance.checkpoint_sha256 not in (None, checkpoint.sha256):
        source += "; the card names another checkpoint"
    names = [item.name for item in spec.inputs], [item.name for item in spec.outputs]
    with open_session(model_path, backend="onnxruntime") as session:
        return compare(
            module_runner(network, *names),
            session.run,
            feeds,
            card=card,
            decode_joints=decode_joints,
            source=source,
        )


def _check_same_interface(
    spec: NetworkSpec,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    path: Path,
) -> None:
    for kind, expected, found in (
        ("input", spec.inputs, inputs),
        ("output", spec.outputs, outputs),
    ):
        if _signature(expected) != _signature(found):
            raise CheckFailedError(
                f"the model's {kind}s are not those of '{spec.name}'",
                where=path,
                why=f"it has {show_specs(found)}; the network has {show_specs(expected)}",
                fix="compare a model with the checkpoint that it was exported from",
            )


def _signature(specs: Sequence[TensorSpec]) -> List[Tuple[str, Tuple[int, ...], str]]:
    return [(item.name, item.shape, item.dtype) for item in specs]


def _list_pictures(folder: Path) -> List[Path]:
    """The pictures of a folder by name; sub-folders are not entered."""
    if not folder.is_dir():
        what = "expected a folder of pictures" if folder.exists() else "the folder does not exist"
        raise InputError(what, where=folder, fix="give a folder with --images")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURE_SUFFIXES)
    if not pictures:
        raise InputError(
            "the folder holds no pictures",
            where=folder,
            why="none of its files ends in " + ", ".join(_PICTURE_SUFFIXES),
        )
    return pictures
