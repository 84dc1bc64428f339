"""A model file, its card and its record, held against a machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from doctor_machines import (
    Programs,
    board_200dk,
    finding,
    fix_of,
    plain_machine,
    verdicts,
    write,
    write_cann,
)
from example_cards import plain_card

import om_files
from atlas_hpe.card import BuildRecord, card_path_of, card_to_json
from atlas_hpe.doctor import (
    FAULT,
    OK,
    WARNING,
    Diagnosis,
    Outcome,
    examine_machine,
    next_step,
    verdict_of,
)
from atlas_hpe.errors import InputError, ModelFileError, UsageError
from atlas_hpe.files import sha256_of
from atlas_hpe.om_file import read_om_summary
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel


def write_om(folder: Path, soc: str = "Ascend310", cann: str = "5.0.4", **attributes: int) -> Path:
    command = f"/usr/local/Ascend/ascend-toolkit/{cann}/x86_64-linux/bin/atc.bin --model=hand.onnx"
    known = {**om_files.typical_attributes(soc, command), **attributes}
    path = folder / "hand.om"
    path.write_bytes(om_files.build_om([om_files.Model(attributes=known)]))
    return path


def write_card(path: Path, *, simulated: bool = False, om_sha256: str = "") -> None:
    record = BuildRecord(
        compiler="atc 5.0.4",
        simulated=simulated,
        options={},
        onnx_sha256="0" * 64,
        om_sha256=om_sha256 or sha256_of(path),
        duration_s=1.0,
        peak_memory_mb=None,
        host="x86_64 Linux",
    )
    card = plain_card()
    card = replace(card, provenance=replace(card.provenance, build=record))
    card_path_of(path).write_text(card_to_json(card))


def examine_on_board(root: Path, path: Path) -> Diagnosis:
    return examine_machine(board_200dk(root), model=path)


def test_a_model_that_was_made_for_the_board_is_fine(tmp_path: Path) -> None:
    path = write_om(tmp_path)
    write_card(path)
    diagnosis = examine_on_board(tmp_path, path)
    ways = ["chip of the model", "CANN of the model", "room for the model"]
    names = ["file", *ways, "card", "record"]
    assert verdicts(diagnosis, "model") == dict.fromkeys(names, OK)
    assert diagnosis.exit_code == 0
    text = finding(diagnosis, "model", "file").text
    assert "for Ascend310, built by CANN 5.0.4" in text
    assert finding(diagnosis, "model", "chip of the model").text == "fits Ascend310"
    assert finding(diagnosis, "model", "CANN of the model").text == "fits 5.0.4.alpha002"


def test_a_model_for_another_chip_is_a_fault(tmp_path: Path) -> None:
    diagnosis = examine_on_board(tmp_path, write_om(tmp_path, soc="Ascend310B4"))
    found = finding(diagnosis, "model", "chip of the model")
    assert found.verdict == FAULT
    assert "made for Ascend310B4, this device is Ascend310" in found.text
    assert diagnosis.exit_code == 4
    assert verdict_of(diagnosis) == "not ready: chip of the model"
    assert next_step(diagnosis).endswith("--soc Ascend310")


def test_a_model_built_by_a_newer_cann_is_a_fault(tmp_path: Path) -> None:
    diagnosis = examine_on_board(tmp_path, write_om(tmp_path, cann="6.0.1"))
    assert verdicts(diagnosis, "model")["chip of the model"] == OK
    found = finding(diagnosis, "model", "CANN of the model")
    assert found.verdict == FAULT
    assert "6.0.1" in found.text
    assert "5.0.4.alpha002" in found.text


def test_the_chip_can_be_named_where_there_is_none(tmp_path: Path) -> None:
    path = write_om(tmp_path)
    machine = plain_machine(tmp_path)
    diagnosis = examine_machine(machine, model=path)
    assert (
        finding(diagnosis, "model", "chip of the model").text
        == "nothing on this machine to hold it against"
    )
    assert (
        finding(diagnosis, "model", "CANN of the model").text
        == "nothing on this machine to hold it against"
    )
    found = verdicts(diagnosis, "model")
    assert (found["chip of the model"], found["CANN of the model"]) == (OK, OK)
    assert "room for the model" not in found
    assert diagnosis.exit_code == 0
    other = examine_machine(machine, model=path, soc="Atlas 200I DK A2")
    assert verdicts(other, "model")["chip of the model"] == FAULT
    same = examine_machine(machine, model=path, soc="ascend310")
    assert verdicts(same, "model")["chip of the model"] == OK
    with pytest.raises(UsageError):
        examine_machine(machine, model=path, soc="Ascend31")


def test_a_chip_that_is_named_goes_before_the_one_of_the_board(tmp_path: Path) -> None:
    path = write_om(tmp_path, soc="Ascend310B4")
    diagnosis = examine_machine(board_200dk(tmp_path), model=path, soc="Ascend310B4")
    assert verdicts(diagnosis, "model")["chip of the model"] == OK


def test_the_toolkit_of_a_laptop_says_nothing_of_the_board(tmp_path: Path) -> None:
    write_cann(tmp_path, "toolkit", "5.0.4")
    machine = plain_machine(tmp_path, run=Programs(atc=Outcome(0, "")))
    diagnosis = examine_machine(machine, model=write_om(tmp_path, cann="6.0.1"))
    found = finding(diagnosis, "model", "CANN of the model")
    assert (found.verdict, found.text) == (OK, "nothing on this machine to hold it against")


def test_what_no_source_rules_out_is_a_warning(tmp_path: Path) -> None:
    path = write_om(tmp_path, soc="Ascend310B1")
    diagnosis = examine_machine(plain_machine(tmp_path), model=path, soc="Ascend310B4")
    assert verdicts(diagnosis, "model")["chip of the model"] == WARNING
    assert diagnosis.exit_code == 0


def test_a_file_that_says_nothing_of_itself_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    path.write_bytes(om_files.build_om())
    diagnosis = examine_on_board(tmp_path, path)
    for name in ("chip of the model", "CANN of the model"):
        found = finding(diagnosis, "model", name)
        assert (found.verdict, found.text[:21]) == (OK, "the file does not say")


def test_a_model_without_a_card_is_a_warning(tmp_path: Path) -> None:
    diagnosis = examine_on_board(tmp_path, write_om(tmp_path))
    found = finding(diagnosis, "model", "card")
    assert found.verdict == WARNING
    assert "no hand.om.json beside it" in found.text
    assert diagnosis.exit_code == 0


def test_a_damaged_card_is_a_fault(tmp_path: Path) -> None:
    path = write_om(tmp_path)
    card_path_of(path).write_text('{"card_version": 99}')
    found = finding(examine_on_board(tmp_path, path), "model", "card")
    assert found.verdict == FAULT
    assert found.fix


def test_a_card_of_another_file_is_a_fault(tmp_path: Path) -> None:
    path = write_om(tmp_path)
    write_card(path, om_sha256="1" * 64)
    diagnosis = examine_on_board(tmp_path, path)
    found = finding(diagnosis, "model", "record")
    assert found.verdict == FAULT
    assert "another file" in found.text
    assert diagnosis.exit_code == 4


def test_a_record_that_calls_a_compiled_model_simulated_is_a_fault(tmp_path: Path) -> None:
    path = write_om(tmp_path)
    write_card(path, simulated=True)
    assert verdicts(examine_on_board(tmp_path, path), "model")["record"] == FAULT


def test_a_card_without_a_record_is_a_warning(tmp_path: Path) -> None:
    path = write_om(tmp_path)
    card_path_of(path).write_text(card_to_json(plain_card()))
    assert verdicts(examine_on_board(tmp_path, path), "model")["record"] == WARNING


@pytest.mark.parametrize("content", [b"", b"IMOD", b"IMOD" + bytes(300), b"not a model at all"])
def test_a_damaged_file_is_a_fault(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hand.om"
    path.write_bytes(content)
    diagnosis = examine_on_board(tmp_path, path)
    assert verdicts(diagnosis, "model") == {"file": FAULT}
    assert fix_of(diagnosis, "model", "file")
    with pytest.raises(ModelFileError) as caught:
        read_om_summary(path)
    told = [caught.value.what, caught.value.why]
    assert finding(diagnosis, "model", "file").text == ": ".join(part for part in told if part)
    assert fix_of(diagnosis, "model", "file") == caught.value.fix or not caught.value.fix
    assert diagnosis.exit_code == 4


def test_a_truncated_file_is_a_fault(tmp_path: Path) -> None:
    path = write_om(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    assert verdicts(examine_on_board(tmp_path, path), "model")["file"] == FAULT


def test_a_simulated_model_is_fine_on_a_laptop_and_a_fault_on_a_board(tmp_path: Path) -> None:
    path = tmp_path / "hand.simulated.om"
    write_simulated_model(path, SimulatedModel(b"graph"))
    write_card(path, simulated=True)
    diagnosis = examine_machine(plain_machine(tmp_path), model=path)
    assert verdicts(diagnosis, "model") == {"file": OK, "card": OK, "record": OK}
    assert "simulator only" in finding(diagnosis, "model", "file").text
    diagnosis = examine_on_board(tmp_path, path)
    assert verdicts(diagnosis, "model")["file"] == FAULT
    assert diagnosis.exit_code == 4


def test_an_onnx_is_to_be_converted_first(tmp_path: Path) -> None:
    path = write(tmp_path, "hand.onnx", "graph")
    diagnosis = examine_on_board(tmp_path, path)
    assert verdicts(diagnosis, "model") == {"file": WARNING}
    assert fix_of(diagnosis, "model", "file") == f"atlas-hpe convert {path} --soc Ascend310"
    elsewhere = examine_machine(plain_machine(tmp_path / "laptop"), model=path)
    assert fix_of(elsewhere, "model", "file") == f"atlas-hpe convert {path} --soc CHIP"


def test_a_model_larger_than_the_memory_is_a_warning(tmp_path: Path) -> None:
    diagnosis = examine_on_board(tmp_path, write_om(tmp_path, memory_size=6 << 30))
    found = finding(diagnosis, "model", "room for the model")
    assert found.verdict == WARNING
    assert "6144 MB of the 5120 MB" in found.text


def test_the_weights_of_a_model_take_room_too(tmp_path: Path) -> None:
    path = tmp_path / "hand.om"
    path.write_bytes(om_files.build_om([om_files.Model(weights=bytes(4 << 20))]))
    machine = board_200dk(tmp_path)
    write(tmp_path, "/proc/meminfo", "MemAvailable: 4096 kB\n")
    found = finding(examine_machine(machine, model=path), "model", "room for the model")
    assert (found.verdict, "4 MB of the 4 MB" in found.text) == (WARNING, True)


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        examine_machine(plain_machine(tmp_path), model=tmp_path / "none.om")


def test_the_real_file_fits_a_200_dk_of_its_release(tmp_path: Path, shared_data: Path) -> None:
    diagnosis = examine_on_board(tmp_path, shared_data / "om" / "hh_om.om")
    found = verdicts(diagnosis, "model")
    assert (found["file"], found["chip of the model"], found["CANN of the model"]) == (OK,) * 3
