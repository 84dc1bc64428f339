"""What a model is held against: a network in PyTorch, or another ONNX file."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, Optional, Sequence, Tuple

from atlas_hpe.card import ModelCard, TensorSpec, find_card
from atlas_hpe.errors import CheckFailedError, UsageError
from atlas_hpe.files import sha256_of
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe.parity.sample import Run
from atlas_hpe_export.model_file import load_onnx
from atlas_hpe_export.wording import show_specs
from atlas_hpe_runtime import open_session

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NetworkOptions", "Reference", "check_interface", "is_onnx", "open_reference"]


@dataclass(frozen=True)
class NetworkOptions:
    """How to make a network of a file; see ``inputs.open_input``.

    Attributes:
        arch: Network of the toolkit, None to recognise it.
        factory: ``package.module:function`` that makes the network.
        trust_pickle: Whether code inside the file may run.
    """

    arch: Optional[str] = None
    factory: Optional[str] = None
    trust_pickle: bool = False

    def __bool__(self) -> bool:
        """True when anything was asked for."""
        return self != NetworkOptions()


@dataclass(frozen=True, eq=False)
class Reference:
    """A network that is ready to be asked.

    Attributes:
        name: File name.
        kind: What runs it, in words.
        sha256: Hash of the file.
        run: Feeds to outputs.
        inputs: Its inputs.
        outputs: Its outputs.
        card: How its picture is prepared and its joints are decoded; None when nothing says so.
        network: The PyTorch module, frozen; None for an .onnx.
    """

    name: str
    kind: str
    sha256: str
    run: Run
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    card: Optional[ModelCard]
    network: Optional[nn.Module] = None


def is_onnx(path: Path) -> bool:
    """Whether a reference is an ONNX file, which needs no PyTorch; told by its suffix."""
    return path.suffix.lower() == ".onnx"


@contextmanager
def open_reference(path: Path, model: OnnxSummary, options: NetworkOptions) -> Iterator[Reference]:
    """Open a reference.

    Args:
        path: An .onnx, or any file that ``inputs.open_input`` takes.
        model: The model that it will be compared with; it names the inputs and outputs of a network
            that has no specification, in their order.
        options: How to make a network of a file that is no .onnx.

    Raises:
        InputError: The file can't be used.
        UsageError: ``options`` for an .onnx, or options that do not fit the file.
    """
    if not is_onnx(path):
        # By its public name, so that a missing torch is explained.
        from atlas_hpe_export import open_network

        yield open_network(path, model, options)
        return
    if options:
        raise UsageError(
            "--arch, --factory and --trust-pickle are for PyTorch files",
            why=f"{path} holds its own network",
        )
    summary, _ = load_onnx(path)
    with open_session(path, backend="onnxruntime") as session:
        yield Reference(
            name=path.name,
            kind="float32, ONNX Runtime",
            sha256=sha256_of(path),
            run=session.run,
            inputs=summary.inputs,
            outputs=summary.outputs,
            card=find_card(path),
        )


def check_interface(reference: Reference, model: OnnxSummary, path: Path, *, outputs: bool) -> None:
    """Make sure that both take the same inputs and, if asked, give the same outputs.

    Raises:
        CheckFailedError: A name, a shape or an element type differs.
    """
    pairs = [("input", reference.inputs, model.inputs)]
    if outputs:
        pairs.append(("output", reference.outputs, model.outputs))
    for kind, expected, found in pairs:
        if _signature(expected) != _signature(found):
            raise CheckFailedError(
                f"the model's {kind}s are not those of '{reference.name}'",
                where=path,
                why=f"it has {show_specs(found)}; the reference has {show_specs(expected)}",
                fix="compare a model with the file that it was made from",
            )


def _signature(specs: Sequence[TensorSpec]) -> List[Tuple[str, Tuple[int, ...], str]]:
    return sorted((item.name, item.shape, item.dtype) for item in specs)
