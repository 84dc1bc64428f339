"""What is said when a device refuses a model: the cause that the file shows, beside the code."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Type, Union

import pytest
import standin_acllite
from acl_board import simulated_board
from fake_acl import FakeModel, fake_gate

import om_files
from atlas_hpe.errors import AtlasHpeError, DeviceError, ModelFileError
from atlas_hpe_runtime.acl.api import Acl
from atlas_hpe_runtime.acl.refusal import explain_refusal
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.acllite import session as acllite_session
from atlas_hpe_runtime.acllite.session import AclLiteSession
from atlas_hpe_runtime.backends import SessionOptions
from atlas_hpe_runtime.simulator.model_file import simulated_content
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel

CODE = 545001
OpenRefused = Callable[..., AtlasHpeError]


def refusing_gate(soc: object = "Ascend310") -> Acl:
    """A gate to a real module, as far as can be seen, that loads nothing."""
    gate = fake_gate(FakeModel([], []))
    refuse = lambda *args: (0, CODE)  # noqa: E731
    gate.module.mdl.load_from_file = refuse
    gate.module.mdl.load_from_mem = refuse
    if soc is not None:
        vars(gate.module)["get_soc_name"] = lambda: soc
    return gate


def om_content(soc: str = "Ascend310", cann: str = "5.0.4") -> bytes:
    command = f"/usr/local/Ascend/ascend-toolkit/{cann}/x86_64-linux/bin/atc.bin --model=hand.onnx"
    attributes = om_files.typical_attributes(soc, command)
    return om_files.build_om([om_files.Model(attributes=attributes)])


@pytest.fixture(params=["file", "memory"])
def open_refused(request: pytest.FixtureRequest, tmp_path: Path) -> OpenRefused:
    """Open a content that the device refuses, from a file or from memory; the error."""

    def open_it(content: bytes, soc: object = "Ascend310") -> AtlasHpeError:
        model: Union[Path, bytes] = content
        if request.param == "file":
            model = tmp_path / "hand.om"
            model.write_bytes(content)
        with pytest.raises(AtlasHpeError) as caught:
            AclSession(refusing_gate(soc), model, SessionOptions())
        assert caught.value.where in (str(tmp_path / "hand.om"), "the model in memory")
        return caught.value

    return open_it


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """CANN 5.0.4 is what this process runs with."""
    home = tmp_path / "nnrt" / "latest"
    record = home / "aarch64-linux" / "ascend_nnrt_install.info"
    record.parent.mkdir(parents=True)
    record.write_text("version=5.0.4.alpha002\n")
    monkeypatch.setenv("ASCEND_HOME_PATH", str(home))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(home / "lib64"))
    return record


def test_a_model_for_another_chip_is_called_that(open_refused: OpenRefused) -> None:
    error = open_refused(om_content("Ascend310B4"))
    assert isinstance(error, DeviceError)
    assert error.what == "the model is made for Ascend310B4, this device is Ascend310"
    assert str(CODE) in str(error.why)
    assert str(error.fix).endswith("--soc Ascend310")


def test_a_model_of_a_newer_cann_is_called_that(open_refused: OpenRefused) -> None:
    error = open_refused(om_content(cann="6.0.1"))
    assert isinstance(error, DeviceError)
    assert "built by CANN 6.0.1, this machine has the older CANN 5.0.4.alpha002" in error.what
    assert str(CODE) in str(error.why)


def test_a_doubt_stands_beside_the_code(open_refused: OpenRefused) -> None:
    error = open_refused(om_content("Ascend310B1"), soc="Ascend310B4")
    assert "failed" in error.what
    assert str(error.why) == (
        f"code {CODE}: the model can't be loaded; the model is made for Ascend310B1, this device "
        "is Ascend310B4: no source says that chips of one family take each other's .om"
    )
    assert str(error.fix).endswith("--soc Ascend310B4")


def test_a_damage_without_a_fix_leaves_the_one_of_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(content: bytes) -> None:
        raise ModelFileError("it is damaged")

    monkeypatch.setattr("atlas_hpe.om_file.parse_om", refuse)
    error = DeviceError("no", where="here", why="code 7", fix="as the device says")
    told = explain_refusal(refusing_gate(), b"IMOD", error)
    assert isinstance(told, DeviceError)
    assert (told.what, told.where) == ("no", "here")
    assert (told.why, told.fix) == ("code 7; it is damaged", "as the device says")


@pytest.mark.parametrize("soc", [None, "", 7])
def test_a_device_that_does_not_tell_its_chip_leaves_the_code(
    open_refused: OpenRefused, soc: object
) -> None:
    error = open_refused(om_content("Ascend310B4"), soc=soc)
    assert "failed" in error.what
    assert "Ascend310B4" not in str(error)


def test_a_simulated_model_is_called_that(open_refused: OpenRefused) -> None:
    error = open_refused(simulated_content(SimulatedModel(b"graph")))
    assert isinstance(error, ModelFileError)
    assert "runs on the simulator only" in error.what
    assert str(CODE) in str(error.why)
    assert "--backend simulator" in str(error.fix)


@pytest.mark.parametrize("content", [b"nothing of the kind", b"IMOD" + bytes(40)])
def test_a_damaged_file_is_told_beside_the_code(open_refused: OpenRefused, content: bytes) -> None:
    error = open_refused(content)
    assert isinstance(error, DeviceError)
    assert str(CODE) in str(error.why)
    assert ".om" in str(error.why) or "header" in str(error.why)


def test_a_model_that_fits_leaves_the_code(open_refused: OpenRefused) -> None:
    error = open_refused(om_content())
    assert str(error.why) == f"code {CODE}: the model can't be loaded"


def test_a_file_that_is_gone_leaves_the_code(tmp_path: Path) -> None:
    error = DeviceError("no", why="code")
    assert explain_refusal(refusing_gate(), tmp_path / "gone.om", error) is error


def test_the_simulator_says_what_it_said(tmp_path: Path) -> None:
    with simulated_board() as board:
        for content in (om_content("Ascend310B4"), b"nothing"):
            error = DeviceError("no", why="code")
            assert explain_refusal(board.acl, content, error) is error


def test_a_model_that_loads_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read: List[object] = []
    monkeypatch.setattr("atlas_hpe_runtime.acl.session.explain_refusal", lambda *a: read.append(a))
    gate = fake_gate(FakeModel([("x", (1, 3), 0)], [("y", (1, 3), 0)]))
    AclSession(gate, tmp_path / "hand.om", SessionOptions()).close()
    assert read == []


def test_acllite_says_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    path.write_bytes(om_content("Ascend310B4"))

    def refuse(kind: Type[object], path: Path) -> None:
        raise DeviceError("AclLite failed at loading the model", where=path, why="it returned None")

    monkeypatch.setattr(acllite_session, "open_lite_model", refuse)
    with pytest.raises(DeviceError, match="made for Ascend310B4") as caught:
        AclLiteSession(standin_acllite.AclLiteModel, refusing_gate(), path, SessionOptions())
    assert "it returned None" in str(caught.value.why)
