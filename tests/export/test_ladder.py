"""The ladder: one reference, several ways of running the model, and what is left out and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, Tuple

import numpy as np
import pytest

import tiny_onnx

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
import torch
from ladder_cases import (
    CARD,
    DEPTH_CARD,
    FACTORY,
    make_samples,
    network,
    read_asymmetric,
    write_onnx,
    write_weights,
)
from toy_networks import SIZE_PX, TwoHeads, toy_decode

from atlas_hpe.card import DecodeSpec, ModelCard
from atlas_hpe.errors import AtlasHpeError, CheckFailedError, InputError, OutputError, UsageError
from atlas_hpe.files import sha256_of
from atlas_hpe.parity import TOLERANCES, LadderReport, ParityBundle, Sample, replay_bundle
from atlas_hpe_export import NetworkOptions, run_ladder
from atlas_hpe_export.parity import ladder as ladder_module
from atlas_hpe_export.parity import reference as reference_module
from atlas_hpe_runtime import open_session

OPTIONS = NetworkOptions(factory=FACTORY)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("ladder") / "toy.pt")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(tmp_path_factory.mktemp("ladder") / "toy.onnx")


def climb(model: Path, reference: Path, **options: object) -> LadderReport:
    if reference.suffix != ".onnx":
        options.setdefault("options", OPTIONS)
    return run_ladder(
        model, reference, decode_joints=toy_decode, draw_samples=make_samples, **options
    )


def names(report: LadderReport) -> Tuple[str, ...]:
    return tuple(rung.name for rung in report.rungs)


def test_all_rungs_are_climbed_against_pytorch(weights: Path, model: Path) -> None:
    report = climb(model, weights)
    assert names(report) == ("onnx", "half", "aipp")
    assert report.reference == "toy.pt (PyTorch)"
    assert report.left_out == {}
    assert report.passed, report.failures
    onnx_rung, half, aipp = (rung.parity for rung in report.rungs)
    assert onnx_rung.samples == half.samples == aipp.samples == 8
    largest = [parity.tensors[0].max_abs for parity in (onnx_rung, half, aipp)]
    assert largest[0] < 1e-6 < largest[1] < largest[2]
    for parity in (onnx_rung, half, aipp):
        assert parity.joints is not None
        assert parity.joints.compared == 8 * 21
        assert parity.joints.input_px is not None
        assert parity.joints.source_px is not None
        assert parity.joints.source_px.max == pytest.approx(2 * parity.joints.input_px.max)
    assert half.joint_limits.max_px == TOLERANCES["half"].joint * SIZE_PX
    assert report.first_sample is not None
    assert report.first_sample.name == "picture 0"


def test_without_a_reference_the_file_itself_in_float32_is_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run_ladder(model, decode_joints=toy_decode, draw_samples=make_samples)
    assert names(report) == ("half", "aipp")
    assert report.reference == "toy.onnx (float32, ONNX Runtime)"
    assert "is the reference" in report.left_out["onnx"]
    with pytest.raises(UsageError, match="no rung 'onnx' here"):
        run_ladder(model, rungs=["onnx"], draw_samples=make_samples)


def test_the_reference_is_asked_once_per_sample(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = reference_module.open_session

    def watch(*arguments: object, **options: object) -> object:
        session = real(*arguments, **options)
        run = session.run
        session.run = lambda feeds: asked.append(1) or run(feeds)
        return session

    monkeypatch.setattr(reference_module, "open_session", watch)
    run_ladder(model, draw_samples=make_samples)
    assert len(asked) == 8


def test_two_onnx_files_are_compared(model: Path, tmp_path: Path) -> None:
    same = climb(model, write_onnx(tmp_path / "again.onnx"), rungs=("onnx",))
    assert same.passed
    assert same.rungs[0].parity.tensors[0].max_abs == 0.0
    shifted = write_onnx(tmp_path / "shifted.onnx", edit=read_asymmetric)
    moved = climb(shifted, model, rungs=("onnx",))
    assert not moved.passed
    assert moved.rungs[0].parity.joints is not None
    assert moved.rungs[0].worst is not None
    assert moved.example is moved.rungs[0].worst.sample


def test_a_changed_weight_fails_every_rung(model: Path, tmp_path: Path) -> None:
    other = write_weights(tmp_path / "other.pt", network(seed=1))
    report = climb(model, other)
    assert [rung.parity.passed for rung in report.rungs[:2]] == [False, False]


def test_the_card_that_names_another_checkpoint_is_noted(weights: Path, tmp_path: Path) -> None:
    provenance = replace(CARD.provenance, checkpoint_sha256="0" * 64)
    model = write_onnx(tmp_path / "m.onnx", card=replace(CARD, provenance=provenance))
    assert climb(model, weights, rungs=("onnx",)).notes == (
        "the model's card names another checkpoint",
    )
    provenance = replace(CARD.provenance, checkpoint_sha256=sha256_of(weights))
    model = write_onnx(tmp_path / "right.onnx", card=replace(CARD, provenance=provenance))
    assert climb(model, weights, rungs=("onnx",)).notes == ()


def test_a_model_without_a_card_is_compared_by_that_of_the_network(
    weights: Path, tmp_path: Path
) -> None:
    report = climb(write_onnx(tmp_path / "m.onnx", card=None), weights)
    assert names(report) == ("onnx", "half", "aipp")
    assert report.rungs[0].parity.joints is not None


def test_a_model_without_any_card_is_compared_on_noise_in_tensors(tmp_path: Path) -> None:
    report = climb(
        write_onnx(tmp_path / "m.onnx", card=None), write_onnx(tmp_path / "r.onnx", card=None)
    )
    assert names(report) == ("onnx", "half")
    assert report.rungs[0].parity.source == "noise from a seed, no photographs"
    assert report.rungs[0].parity.joints is None
    assert "no pictures" in report.left_out["aipp"]


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (DEPTH_CARD, "no pictures"),
        (replace(CARD, preprocess=replace(CARD.preprocess, std=(1e-9,) * 3)), "fp16"),
        (replace(CARD, preprocess=replace(CARD.preprocess, dtype="uint8")), "whole numbers"),
    ],
)
def test_a_rung_that_the_model_has_not_is_left_out_with_the_reason(
    tmp_path: Path, card: ModelCard, words: str
) -> None:
    path = write_onnx(tmp_path / "m.onnx", card=card)
    report = run_ladder(path, decode_joints=toy_decode, draw_samples=make_samples)
    assert names(report) == ("half",)
    assert words in report.left_out["aipp"]
    with pytest.raises(UsageError, match="no rung 'aipp' here") as caught:
        run_ladder(path, rungs=["aipp"], draw_samples=make_samples)
    assert words in str(caught.value.why)


def test_only_the_rungs_that_were_asked_for_are_climbed(model: Path) -> None:
    report = run_ladder(model, rungs=["aipp"], draw_samples=make_samples)
    assert names(report) == ("aipp",)
    assert report.left_out == {}
    for unknown in (["board"], []):
        with pytest.raises(UsageError, match="there is no rung"):
            run_ladder(model, rungs=unknown, draw_samples=make_samples)


def test_a_model_that_decodes_in_the_graph_is_compared_in_joints(
    weights: Path, tmp_path: Path
) -> None:
    """Its heatmaps are gone; each side decodes what it has."""

    def decode_in_graph(model: onnx.ModelProto) -> None:
        model.graph.node.append(onnx.helper.make_node("Mul", ["heatmaps", "two"], ["doubled"]))
        two = onnx.numpy_helper.from_array(np.float32(2).reshape(1), "two")
        model.graph.initializer.append(two)
        model.graph.output[0].name = "doubled"

    decode = DecodeSpec(kind="heatmap-2d", outputs={"heatmaps": "doubled"})
    path = write_onnx(tmp_path / "m.onnx", card=replace(CARD, decode=decode), edit=decode_in_graph)
    report = climb(path, weights, rungs=("onnx",))
    assert report.passed, report.failures
    assert report.rungs[0].parity.tensors == ()
    assert report.rungs[0].parity.joints is not None
    assert report.rungs[0].parity.joints.compared == 8 * 21


def prepare_dark(card: ModelCard, path: Path) -> Sample:
    (sample,) = make_samples(card, 1)
    return replace(sample, name=path.name)


def test_photographs_in_which_nobody_finds_a_hand_fail(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")

    def find_nothing(card: ModelCard, outputs: object) -> np.ndarray:
        return np.full((21, 2), np.nan)

    report = run_ladder(
        model,
        rungs=["half"],
        images=tmp_path,
        prepare_sample=prepare_dark,
        decode_joints=find_nothing,
    )
    assert not report.passed
    assert (
        "half: no joint was compared: neither found a hand in the 1 pictures" in report.failures[0]
    )
    drawn = run_ladder(model, rungs=["half"], draw_samples=make_samples, decode_joints=find_nothing)
    assert drawn.passed
    assert len(drawn.warnings) == 1


def test_pictures_of_a_folder_are_taken_by_name(model: Path, tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    seen = []

    def prepare(card: ModelCard, path: Path) -> Sample:
        seen.append(path.name)
        return prepare_dark(card, path)

    report = run_ladder(model, rungs=["half"], images=tmp_path, prepare_sample=prepare)
    assert seen == ["a.jpg", "b.PNG"]
    assert report.rungs[0].parity.source == f"2 pictures of {tmp_path}"


def test_pictures_that_can_not_be_used_are_explained(model: Path, tmp_path: Path) -> None:
    empty, missing = tmp_path / "empty", tmp_path / "missing"
    empty.mkdir()
    cases: Dict[str, Callable[[], object]] = {
        "pass prepare_sample=": lambda: run_ladder(model, images=empty),
        "holds no pictures": lambda: run_ladder(model, images=empty, prepare_sample=prepare_dark),
        "does not exist": lambda: run_ladder(model, images=missing, prepare_sample=prepare_dark),
    }
    for words, run in cases.items():
        with pytest.raises((UsageError, InputError)) as caught:
            run()
        assert words in str(caught.value)
    bare = write_onnx(tmp_path / "bare.onnx", card=None)
    with pytest.raises(UsageError, match="pictures need a model card"):
        run_ladder(bare, images=empty, prepare_sample=prepare_dark)


def test_another_network_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(tiny_onnx.hand_model())
    with pytest.raises(CheckFailedError, match="model's outputs are not those of 'toy"):
        climb(tmp_path / "other.onnx", model)
    (tmp_path / "larger.onnx").write_bytes(tiny_onnx.hand_model(32))
    with pytest.raises(CheckFailedError, match="model's inputs are not those of 'toy"):
        climb(tmp_path / "larger.onnx", model)


def test_options_for_a_network_do_not_go_with_an_onnx_file(model: Path) -> None:
    with pytest.raises(UsageError, match="are for PyTorch files"):
        run_ladder(model, model, options=OPTIONS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_archive_is_a_reference_too(model: Path, tmp_path: Path) -> None:
    traced = torch.jit.trace(network(), torch.zeros(1, 3, SIZE_PX, SIZE_PX))
    torch.jit.save(traced, str(tmp_path / "toy.ts"))
    report = run_ladder(
        model,
        tmp_path / "toy.ts",
        rungs=["onnx"],
        decode_joints=toy_decode,
        draw_samples=make_samples,
    )
    assert report.passed, report.failures
    assert report.rungs[0].parity.joints is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_network_with_another_number_of_outputs_is_refused(model: Path, tmp_path: Path) -> None:
    traced = torch.jit.trace(TwoHeads().eval(), torch.zeros(1, 3, SIZE_PX, SIZE_PX))
    torch.jit.save(traced, str(tmp_path / "two.ts"))
    with pytest.raises(CheckFailedError, match="the network gives 2 outputs, the model 1"):
        climb(model, tmp_path / "two.ts", rungs=("onnx",), options=NetworkOptions())


def test_a_recording_replays_to_the_same_figures(
    weights: Path, model: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "b.npz"
    direct = climb(model, weights, rungs=("onnx",), record=bundle)
    with ParityBundle(bundle) as opened:
        assert opened.facts.reference == "toy.pt"
        assert opened.facts.reference_kind == "PyTorch"
        assert opened.facts.card is not None
        assert "torch" in opened.facts.tools
        assert len(opened.facts.model_sha256) == len(opened.facts.reference_sha256) == 64
    with open_session(model) as session:
        replayed = replay_bundle(bundle, session, model="toy.onnx", decode_joints=toy_decode)
    want, have = direct.rungs[0].parity, replayed.rungs[0].parity
    assert have.tensors == want.tensors
    assert have.joints == want.joints
    with pytest.raises(OutputError, match="exists already"):  # before any work
        climb(model, tmp_path / "missing.pt", record=bundle)
    with pytest.raises(OutputError, match="kind of output"):
        climb(model, weights, record=tmp_path / "b.zip")


def test_a_ladder_that_breaks_off_leaves_no_bundle(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"")

    def prepare(card: ModelCard, path: Path) -> Sample:
        if path.name == "b.png":
            raise InputError("the file is not a picture")
        return prepare_dark(card, path)

    with pytest.raises(InputError):
        run_ladder(model, images=tmp_path, prepare_sample=prepare, record=tmp_path / "b.npz")
    assert not list(tmp_path.glob("*.npz"))


def weights_outside(folder: Path) -> bytes:
    (folder / "secret.bin").write_bytes(bytes(16))
    nodes = [tiny_onnx.node("Add", ["image", "w"], ["y"])]
    tensors = [tiny_onnx.external_tensor("w", [4], "../secret.bin")]
    return tiny_onnx.model(nodes, {"image": [4]}, {"y": [4]}, tensors)


def newer_card(_folder: Path) -> bytes:
    return tiny_onnx.hand_model().replace(b'"card_version": 1', b'"card_version": 9')


def random_bytes(_folder: Path) -> bytes:
    return np.random.default_rng(0).bytes(4000)


REFUSED: Dict[Callable[[Path], bytes], str] = {
    weights_outside: "weights outside its own folder",
    newer_card: "found 9, this release reads 1",
    random_bytes: "not an ONNX model",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_a_bad_model_is_refused_before_a_library_opens_it(
    make: Callable[[Path], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        pytest.fail("a library was given the file")

    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "model.onnx"
    path.write_bytes(make(tmp_path))
    monkeypatch.setattr(ladder_module, "open_session", fail)
    monkeypatch.setattr(ladder_module, "open_reference", fail)
    with pytest.raises(AtlasHpeError) as caught:
        run_ladder(path, tmp_path / "model.pt")
    assert REFUSED[make] in str(caught.value)


def test_sizes_that_are_not_fixed_can_not_be_made_up(tmp_path: Path) -> None:
    def open_batch(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"

    path = write_onnx(tmp_path / "m.onnx", card=None, edit=open_batch)
    with pytest.raises(UsageError, match="size of the model's input 'image' is not fixed"):
        run_ladder(path)
