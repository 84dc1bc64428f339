"""Models in memory: more than protobuf can write is one clear error, everywhere."""

from __future__ import annotations

import onnx
import pytest
from google.protobuf.message import EncodeError

from atlas_hpe.errors import ModelFileError
from atlas_hpe_export.parity.intermediates import infer_graph
from atlas_hpe_export.runners import open_runner


class TooLarge:
    """A model as protobuf treats one of more than 2 GiB."""

    def SerializeToString(self) -> bytes:
        raise EncodeError("Failed to serialize proto")


def test_a_model_too_large_to_write_does_not_run() -> None:
    with pytest.raises(ModelFileError, match="too large to run"), open_runner(TooLarge()):
        pass


def test_a_model_too_large_to_infer_has_no_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: onnx.ModelProto, **options: object) -> bytes:
        return TooLarge().SerializeToString()

    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", refuse)
    with pytest.raises(ModelFileError, match="shapes of the graph can't be inferred"):
        infer_graph(onnx.ModelProto())
