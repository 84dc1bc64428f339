"""The .om and its card appear together, and are known again when the same is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Set

import pytest
from convert_files import (
    CARD,
    left_behind,
    make_workshop,
    runs,
    stop_at_card,
    write_model,
    write_version,
)

import tiny_onnx
from atlas_hpe.card import load_card
from atlas_hpe.errors import InputError, OutputError
from atlas_hpe.files import sha256_of
from atlas_hpe_export.convert import AippRequest, ConvertOptions, compile_om

NV12 = ConvertOptions(aipp=AippRequest("nv12"))


@pytest.fixture(autouse=True)
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, atc on PATH, and a cache and temporary files of its own."""
    make_workshop(tmp_path, monkeypatch)
    return tmp_path


def test_what_is_there_already_is_not_made_again(workshop: Path) -> None:
    compile_om("hand.onnx", options=NV12)
    written = Path("hand.om").stat().st_mtime_ns
    report = compile_om("hand.onnx", options=NV12)
    assert (report.state, report.cached) == ("up to date", True)
    assert (Path("hand.om").stat().st_mtime_ns, runs(workshop)) == (written, 1)


def test_a_card_of_that_name_is_not_replaced_unasked(workshop: Path) -> None:
    Path("hand.om.json").write_text("notes")
    with pytest.raises(OutputError, match="exists already"):
        compile_om("hand.onnx")
    assert (Path("hand.om.json").read_text(), runs(workshop)) == ("notes", 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda: Path("hand.om").write_bytes(Path("hand.om").read_bytes()[:-1] + b"x"),
        lambda: Path("hand.om.json").unlink(),
        lambda: Path("hand.om.json").write_text("{"),
        lambda: Path("hand.om.json").write_text(
            Path("hand.om.json").read_text().replace('"tiny hand"', '"another"')
        ),
        lambda: write_model(Path("hand.onnx"), opset=12),
        lambda: write_version(Path(".."), "5.0.4"),
    ],
    ids=["the model", "no card", "a damaged card", "the card", "the graph", "the compiler"],
)
def test_an_output_that_was_changed_is_not_taken_for_current(
    change: Callable[[], object], workshop: Path
) -> None:
    compile_om("hand.onnx")
    change()
    with pytest.raises(OutputError, match="exists already"):
        compile_om("hand.onnx")
    assert runs(workshop) == 1  # refused before the work


def test_another_request_does_not_replace_an_output_unasked(workshop: Path) -> None:
    compile_om("hand.onnx", options=ConvertOptions(keep_dtype=("conv_1",)))
    before = Path("hand.om").read_bytes()
    other = ConvertOptions(keep_dtype=("relu_1",))
    with pytest.raises(OutputError, match="exists already"):
        compile_om("hand.onnx", options=other)
    assert (Path("hand.om").read_bytes(), runs(workshop)) == (before, 1)
    assert compile_om("hand.onnx", options=other, force=True).state == "compiled"
    assert load_card("hand.om").provenance.build is not None


def test_a_card_that_can_not_be_published_takes_the_model_with_it(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at_card(monkeypatch, "publish")
    with pytest.raises(OutputError, match="can't be written"):
        compile_om("hand.onnx")
    assert left_behind(workshop) == {"hand.om.log"}


def test_a_full_disk_leaves_an_earlier_result_as_it_was(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_om("hand.onnx")
    before = [Path(name).read_bytes() for name in ("hand.om", "hand.om.json")]
    stop_at_card(monkeypatch, "flush")
    with pytest.raises(OutputError, match="can't be written"):
        compile_om("hand.onnx", options=NV12, force=True)
    assert [Path(name).read_bytes() for name in ("hand.om", "hand.om.json")] == before
    assert left_behind(workshop) == {"hand.om", "hand.om.json", "hand.om.log"}


def test_the_old_card_is_gone_before_the_new_model_is_there(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that stops between the two leaves an .om without a card."""
    compile_om("hand.onnx")
    seen: List[Set[str]] = []
    stop_at_card(monkeypatch, "publish", lambda: seen.append(left_behind(workshop)))
    with pytest.raises(OutputError):
        compile_om("hand.onnx", options=NV12, force=True)
    assert {name for name in seen[0] if not name.startswith(".")} == {"hand.om", "hand.om.log"}


@pytest.mark.parametrize("first_has_card", [True, False])
def test_what_an_earlier_model_left_does_not_pass_for_this_one_s(
    first_has_card: bool, workshop: Path
) -> None:
    cards = (CARD, None) if first_has_card else (None, CARD)
    write_model(Path("hand.onnx"), card=cards[0])
    compile_om("hand.onnx")
    write_model(Path("hand.onnx"), card=cards[1])
    Path("hand.om").unlink()
    if first_has_card:
        with pytest.raises(OutputError, match="exists already"):
            compile_om("hand.onnx")
    compile_om("hand.onnx", force=first_has_card)
    beside = "hand.om.build.json" if first_has_card else "hand.om.json"
    assert left_behind(workshop) == {"hand.om", beside, "hand.om.log"}


def test_the_record_is_of_the_graph_that_was_compiled() -> None:
    compiled = sha256_of("hand.onnx")

    def edit(line: str) -> None:
        if "ATC start" in line:
            write_model(Path("hand.onnx"), opset=12)

    card = compile_om("hand.onnx", show=edit).card
    assert card is not None
    assert card.provenance.build is not None
    assert card.provenance.build.onnx_sha256 == compiled != sha256_of("hand.onnx")


def test_a_graph_that_changes_before_it_is_compiled_is_refused(workshop: Path) -> None:
    def edit(line: str) -> None:
        if line.startswith("compiling"):
            write_model(Path("hand.onnx"), opset=12)

    with pytest.raises(InputError, match="changed while"):
        compile_om("hand.onnx", show=edit)
    assert (left_behind(workshop), runs(workshop)) == ({"hand.om.log"}, 0)


@pytest.mark.parametrize("flag", ["--mdl_bank_path=banks", "--debug_dir={folder}/a file"])
def test_what_no_record_holds_is_not_taken_for_current(flag: str, workshop: Path) -> None:
    (workshop / "a file").write_text("it decides")
    options = ConvertOptions(extra=(flag.format(folder=workshop),))
    compile_om("hand.onnx", options=options)
    with pytest.raises(OutputError, match="exists already"):
        compile_om("hand.onnx", options=options)


def test_weights_beside_the_graph_are_not_taken_for_unchanged() -> None:
    Path("w.bin").write_bytes(bytes(48))
    nodes = [tiny_onnx.node("Conv", ["image", "w"], ["y"])]
    tensors = [tiny_onnx.external_tensor("w", (1, 3, 2, 2), "w.bin")]
    model = tiny_onnx.model(nodes, {"image": (1, 3, 8, 8)}, {"y": (1, 1, 7, 7)}, tensors)
    Path("big.onnx").write_bytes(model)
    compile_om("big.onnx")
    Path("w.bin").write_bytes(b"x" * 48)
    with pytest.raises(OutputError, match="exists already"):
        compile_om("big.onnx")


def test_a_card_that_appears_meanwhile_is_not_removed() -> None:
    write_model(Path("hand.onnx"), card=None)

    def write(line: str) -> None:
        Path("hand.om.json").write_text("notes")

    with pytest.raises(OutputError, match="exists already"):
        compile_om("hand.onnx", show=write)
    assert Path("hand.om.json").read_text() == "notes"
    assert not Path("hand.om").exists()
