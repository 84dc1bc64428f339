"""Weights and their network: recognised, from a factory, or pickled as a whole."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

torch = pytest.importorskip("torch")

from input_files import imported, weights_of, write_network  # noqa: E402
from toy_networks import TOY_SPEC, toy_heatmaps  # noqa: E402

from atlas_hpe.errors import CheckpointError, InputError, UsageError  # noqa: E402
from atlas_hpe.nets import load_network  # noqa: E402
from atlas_hpe_export.inputs import open_input  # noqa: E402

SHAPE = ["1,3,8,8"]


@pytest.fixture
def user_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module in the working directory; it is forgotten afterwards."""
    write_network(tmp_path, "users_net")
    monkeypatch.chdir(tmp_path)
    yield "users_net"
    sys.modules.pop("users_net", None)


def write_weights(folder: Path) -> Path:
    weights = weights_of(imported(folder).Pose())
    torch.save({"state_dict": weights, "epoch": 3}, folder / "weights.pt")
    return folder / "weights.pt"


def test_the_toolkits_own_network_is_recognised(tmp_path: Path) -> None:
    spec = load_network("shallow_unet")
    torch.save({"model": spec.build().state_dict(), "ema": {}}, tmp_path / "w.pt")
    found = open_input(tmp_path / "w.pt")
    assert (found.kind, found.spec, found.card) == ("state-dict", spec, None)
    assert [tuple(item.shape) for item in found.examples] == [item.shape for item in spec.inputs]
    assert found.input_names == tuple(item.name for item in spec.inputs)
    assert found.sha256 == hashlib.sha256((tmp_path / "w.pt").read_bytes()).hexdigest()
    assert found.notes[0] == "took the weights under 'model'"
    assert open_input(tmp_path / "w.pt", arch="shallow_unet").spec == spec
    assert open_input(tmp_path / "w.pt", input_shapes=["1,3,128,128"]).spec == spec
    with pytest.raises(UsageError, match=r"'shallow_unet' has its own: .*:1,3,128,128"):
        open_input(tmp_path / "w.pt", input_shapes=["1,3,64,64"])


def test_a_factory_gives_the_network(tmp_path: Path, user_network: str) -> None:
    path = write_weights(tmp_path)
    found = open_input(path, factory="users_net:build", input_shapes=["image:1,3,8,8"])
    assert (found.kind, found.spec, found.input_names) == ("state-dict", None, ("image",))
    saved = torch.load(path, weights_only=True)["state_dict"]
    assert found.network is not None
    state = found.network.state_dict()
    assert all(torch.equal(state[name], saved[name]) for name in saved if "tracked" not in name)
    assert found.network(*found.examples).shape == (1, 4, 6, 6)
    assert "took the weights under 'state_dict'" in found.notes


@pytest.mark.parametrize("name", ["build", "Pose", "READY", "Holder.build"])
def test_a_factory_is_anything_that_gives_a_module(
    name: str,
    tmp_path: Path,
    user_network: str,
) -> None:
    path = write_weights(tmp_path)
    found = open_input(path, factory=f"users_net:{name}", input_shapes=SHAPE)
    assert type(found.network).__name__ == "Pose"


@pytest.mark.parametrize("name", ["SPEC", "build_spec"])
def test_a_factory_may_give_a_specification(name: str, tmp_path: Path, user_network: str) -> None:
    torch.save(toy_heatmaps(3).state_dict(), tmp_path / "toy.pt")
    found = open_input(tmp_path / "toy.pt", factory=f"users_net:{name}")
    assert found.spec == TOY_SPEC
    assert found.network is not None
    assert torch.equal(found.network.conv.weight, toy_heatmaps(3).conv.weight)
    assert [tuple(item.shape) for item in found.examples] == [(1, 3, 16, 16)]


def test_what_a_factory_prints_stays_out_of_the_data(
    tmp_path: Path,
    user_network: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = list(sys.path)
    open_input(write_weights(tmp_path), factory="users_net:build", input_shapes=SHAPE)
    assert capsys.readouterr() == ("", "building\n")
    assert sys.path == before


FAILURES = {
    "users_net:build_wrongly": r"ZeroDivisionError: .* \(.*users_net\.py:43\)",
    "users_net:build_with_argument": "TypeError: .*missing 1 required positional argument",
    "users_net:leave": r"SystemExit: 3 \(.*users_net\.py:51\)",
    "users_net:nothing": "AttributeError: module 'users_net' has no attribute 'nothing'\n",
    "not_there:build": "ModuleNotFoundError: No module named 'not_there'\n",
    "broken_net:build": r"SyntaxError: .*\(broken_net\.py, line 2\)",
    "users_net:build_a_number": "it gave a int",
    "users_net.build": "write it as package.module:function",
    "users_net:build()": "write it as package.module:function",
    ":build": "write it as package.module:function",
}


@pytest.mark.parametrize("factory", FAILURES)
def test_a_factory_that_fails_is_one_error(
    factory: str,
    tmp_path: Path,
    user_network: str,
) -> None:
    path = write_weights(tmp_path)
    (tmp_path / "broken_net.py").write_text("x = 1\ndef build(:\n")
    before = list(sys.path)
    with pytest.raises(UsageError, match=FAILURES[factory]) as caught:
        open_input(path, factory=factory, input_shapes=SHAPE)
    assert f"--factory {factory}" in str(caught.value.where)
    assert sys.path == before


def test_weights_of_another_width_are_told_apart(tmp_path: Path, user_network: str) -> None:
    path = write_weights(tmp_path)
    with pytest.raises(CheckpointError, match=r"6 wrong shape: conv\.weight \(4, 3, 3, 3\) for"):
        open_input(path, factory="users_net:build_wide", input_shapes=SHAPE)


def test_whole_numbers_are_not_taken_for_weights(tmp_path: Path, user_network: str) -> None:
    weights = weights_of(imported(tmp_path).Pose())
    weights["conv.bias"] = torch.ones(4, dtype=torch.int64)
    torch.save(weights, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"int64, the network has torch\.float32"):
        open_input(tmp_path / "w.pt", factory="users_net:build", input_shapes=SHAPE)


def test_input_shapes_have_to_fit_forward(tmp_path: Path, user_network: str) -> None:
    path = write_weights(tmp_path)

    def names(shapes: List[str], factory: str = "users_net:build") -> object:
        return open_input(path, factory=factory, input_shapes=shapes).input_names

    assert names(["1,3,8,8", "1,4,6,6"]) == ("image", "scale")
    assert names(["scale:1,4,6,6", "image:1,3,8,8"]) == ("image", "scale")
    with pytest.raises(UsageError, match="inputs: image, scale"):
        names([])
    with pytest.raises(UsageError, match="in order, the inputs are: image, scale"):
        names(["1,3,8,8"] * 3)
    with pytest.raises(UsageError, match="in order, the inputs are: image, scale"):
        names(["scale:1,4,6,6"])
    with pytest.raises(UsageError, match="there is no input 'picture'"):
        names(["picture:1,3,8,8"])


def test_a_forward_of_any_number_of_inputs_is_numbered(
    tmp_path: Path,
    user_network: str,
) -> None:
    torch.save(imported(tmp_path).Anything(), tmp_path / "m.pt")
    found = open_input(tmp_path / "m.pt", trust_pickle=True, input_shapes=["1,2", "1,2"])
    assert found.input_names == ("images_0", "images_1")


def test_a_pickled_module_needs_trust(tmp_path: Path, user_network: str) -> None:
    torch.save(imported(tmp_path).Pose(), tmp_path / "m.pt")
    sys.modules.pop("users_net")
    with pytest.raises(CheckpointError, match=r"--trust-pickle to run what is in it") as caught:
        open_input(tmp_path / "m.pt", input_shapes=SHAPE)
    assert "users_net.Pose" in str(caught.value)
    assert "users_net" not in sys.modules, "the code was run"
    found = open_input(tmp_path / "m.pt", trust_pickle=True, input_shapes=SHAPE)
    assert (found.kind, found.input_names) == ("pickled-module", ("image",))
    assert found.notes == ("took the module 'Pose'; code in the file was run",)
    with pytest.raises(UsageError, match="a whole module, which brings its own network"):
        open_input(tmp_path / "m.pt", trust_pickle=True, factory="users_net:build")


def test_a_module_in_a_training_file_is_found(tmp_path: Path, user_network: str) -> None:
    torch.save({"epoch": 1, "model": imported(tmp_path).Pose()}, tmp_path / "m.pt")
    found = open_input(tmp_path / "m.pt", trust_pickle=True, input_shapes=SHAPE)
    assert found.kind == "pickled-module"
    assert found.notes == ("took the module under 'model' 'Pose'; code in the file was run",)


def test_weights_among_objects_need_trust_too(tmp_path: Path, user_network: str) -> None:
    users = imported(tmp_path)
    content = {"state_dict": weights_of(users.Pose()), "options": users.Holder()}
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"users_net\.Holder"):
        open_input(tmp_path / "m.pt", factory="users_net:build", input_shapes=SHAPE)
    found = open_input(
        tmp_path / "m.pt", factory="users_net:build", input_shapes=SHAPE, trust_pickle=True
    )
    assert found.kind == "state-dict"


def test_a_pickle_that_fails_is_one_error(tmp_path: Path, user_network: str) -> None:
    torch.save(imported(tmp_path).Pose(), tmp_path / "m.pt")
    sys.modules.pop("users_net")
    (tmp_path / "users_net.py").write_text("raise KeyError('moved')\n")
    with pytest.raises(CheckpointError, match=r"KeyError: 'moved' \(.*users_net\.py:1\)"):
        open_input(tmp_path / "m.pt", trust_pickle=True, input_shapes=SHAPE)


def test_trust_changes_nothing_for_plain_weights(tmp_path: Path) -> None:
    spec = load_network("shallow_unet")
    torch.save(spec.build().state_dict(), tmp_path / "w.pt")
    assert open_input(tmp_path / "w.pt", trust_pickle=True).kind == "state-dict"


def test_two_names_for_a_network_are_one_too_many(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "w.pt")
    with pytest.raises(UsageError, match="both name a network"):
        open_input(tmp_path / "w.pt", arch="shallow_unet", factory="a:b")


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_input(tmp_path / "nothing.pt")
