"""The two sides of a comparison as plain functions: feeds in, named arrays out."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Mapping, Sequence

import numpy as np

from atlas_hpe.errors import CheckFailedError, ModelFileError
from atlas_hpe_export.feeds import Feeds
from atlas_hpe_export.wording import first_line
from atlas_hpe_runtime import open_session

if TYPE_CHECKING:
    import onnx
    from torch import nn

__all__ = ["Runner", "module_runner", "open_runner", "run_model"]

#: Input name -> array, to output name -> array.
Runner = Callable[[Feeds], Mapping[str, np.ndarray]]


def module_runner(
    module: nn.Module, input_names: Sequence[str], output_names: Sequence[str]
) -> Runner:
    """A PyTorch module as a ``Runner``; names follow the order of ``forward``.

    Raises:
        CheckFailedError: A run fails, or gives another number of outputs than there are names.
    """
    import torch

    from atlas_hpe_export.frontends.explain import CAPTURE_ERRORS, explain
    from atlas_hpe_export.frontends.outputs import flatten_outputs

    def run(feeds: Feeds) -> Dict[str, np.ndarray]:
        try:
            with torch.no_grad():
                outputs = module(*[torch.from_numpy(feeds[name]) for name in input_names])
        except CAPTURE_ERRORS as error:
            raise CheckFailedError(
                "the network fails on an input that is compared on",
                why=explain(error)[0],
                fix="make forward take any input of its shapes and types",
            ) from error
        tensors = [tensor for _, tensor in flatten_outputs(outputs)]
        if len(tensors) != len(output_names):
            raise CheckFailedError(
                f"the network gives {len(tensors)} outputs, the model {len(output_names)}",
                fix="compare a model with the file that it was made from",
            )
        return {name: value.numpy() for name, value in zip(output_names, tensors)}

    return run


@contextlib.contextmanager
def open_runner(model: onnx.ModelProto) -> Iterator[Runner]:
    """A model that is in memory, on ONNX Runtime, as a ``Runner``.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ModelFileError: The model is too large to write, or ONNX Runtime does not take it.
    """
    from google.protobuf.message import EncodeError

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            path.write_bytes(model.SerializeToString())
        except (EncodeError, ValueError) as error:
            raise ModelFileError("the model is too large to run", why=first_line(error)) from error
        with open_session(path, backend="onnxruntime") as session:
            yield session.run


def run_model(model: onnx.ModelProto, feeds: Sequence[Feeds]) -> List[Dict[str, np.ndarray]]:
    """Run a model that is in memory once per feed."""
    with open_runner(model) as run:
        return [dict(run(feed)) for feed in feeds]
