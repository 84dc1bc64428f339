"""A network of the toolkit, exported at batch 1, converted for several and run with each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from atlas_hpe.models import default_detector_path, default_model_path  # noqa: E402
from atlas_hpe.nets import load_network  # noqa: E402
from atlas_hpe_export import export_onnx  # noqa: E402
from atlas_hpe_export.convert import ConvertOptions, compile_om  # noqa: E402
from atlas_hpe_pipelines import decode_joints  # noqa: E402
from atlas_hpe_runtime import Session, open_session  # noqa: E402

BATCHES = (1, 2, 4)
#: fp16 is stored: where sums round otherwise, a value is two steps of 2^-10 further.
STEP = 2e-3
NETWORKS = ("hand_landmark", "hand_detector", "shallow_unet")


def export(name: str, path: Path, *, decode_in_graph: bool = False) -> Path:
    """The network with the weights that it happens to get."""
    spec = load_network(name)
    torch.manual_seed(0)
    example = torch.zeros(spec.inputs[0].shape)
    export_onnx(
        spec.build().eval(),
        example,
        path,
        spec=spec,
        decode_in_graph=decode_in_graph,
        decode_joints=decode_joints if decode_in_graph else None,
    )
    return path


def pictures_for(session: Session) -> np.ndarray:
    shape = session.inputs[0].shape[1:]
    # Beyond the usual range: a fresh network says nearly the same of weak pictures.
    return np.random.default_rng(0).uniform(-30, 30, (max(BATCHES), *shape)).astype(np.float32)


def assert_every_batch_is_its_pictures(model: Path) -> None:
    """Compiled for one picture and for several, the model says the same of each."""
    one = compile_om(model, model.with_name("one.simulated.om"), simulate=True).path
    several = model.with_name("several.simulated.om")
    compile_om(model, several, options=ConvertOptions(batches=BATCHES), simulate=True)
    with open_session(one) as session:
        name, pictures = session.inputs[0].name, pictures_for(session)
        alone: List[Dict[str, np.ndarray]] = [
            session.run({name: picture[None]}) for picture in pictures
        ]
    spread = [np.ptp([item[output] for item in alone], axis=0).max() for output in alone[0]]
    assert max(spread) > STEP, "it says the same of every picture"
    with open_session(several) as session:
        for batch in BATCHES:
            found = session.run({name: pictures[:batch]})
            assert set(found) == set(alone[0])
            for output, array in found.items():
                wanted = np.concatenate([item[output] for item in alone[:batch]])
                np.testing.assert_allclose(array, wanted, rtol=STEP, atol=STEP)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_runs_with_every_batch(name: str, tmp_path: Path) -> None:
    assert_every_batch_is_its_pictures(export(name, tmp_path / "hand.onnx"))


@pytest.mark.slow
def test_joints_decoded_in_the_graph_come_with_every_batch(tmp_path: Path) -> None:
    model = export("shallow_unet", tmp_path / "hand.onnx", decode_in_graph=True)
    assert_every_batch_is_its_pictures(model)


@pytest.mark.parametrize(
    "model",
    [default_model_path(), default_detector_path()],
    ids=["model", "detector"],
)
def test_a_shipped_model_runs_with_every_batch(model: Path, tmp_path: Path) -> None:
    shutil.copy(str(model), str(tmp_path / "hand.onnx"))
    assert_every_batch_is_its_pictures(tmp_path / "hand.onnx")
