"""Reading .om files: a real one, files that are something else, and how much memory it takes."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest

from atlas_hpe.errors import InputError, ModelFileError
from atlas_hpe.om_file import OmTensor, parse_om, read_om_summary
from om_files import Model, build_om


@pytest.fixture
def real(shared_data: Path) -> Path:
    """An .om that CANN 5.0.4 compiled (ascend.md section 6.6)."""
    return shared_data / "om" / "hh_om.om"


def test_a_real_file_says_what_is_known_of_it(real: Path) -> None:
    summary = read_om_summary(real)
    header = summary.header
    assert (header.version, header.length_bytes, header.table) == (0x20000000, 618737, "32-bit")
    assert (header.file_bytes, header.name, header.model_type) == (618993, "hh_om", "ir")
    (model,) = summary.models
    assert [part.number for part in model.partitions] == [0, 1, 3, 2]
    assert sum(part.size_bytes for part in model.partitions) + 308 == header.file_bytes
    assert model.cann_version == "5.0.4.alpha002"
    assert model.atc_version == model.opp_version == "1.80.T15.0.B156"
    assert (model.soc, model.framework) == ("Ascend310", "TensorFlow")
    assert model.inputs == (OmTensor("input", "float32", "NHWC", (100, 784), 313600),)
    assert model.outputs == (
        OmTensor("generation/output:0", "float32", "NHWC", (100, 28, 28, 1), 313600),
    )
    assert sum(model.operators.values()) == 46
    assert (model.operators["Conv2D"], model.operators["TransData"]) == (2, 7)
    assert (model.weights_bytes, model.memory_bytes) == (386560, 6014464)
    assert model.atc_command is not None
    assert model.atc_command.endswith("--soc_version=Ascend310 --input_shape=input:100,784")
    assert model.profiles is None and model.inputs[0].aipp is None


def test_a_file_and_its_content_say_the_same(real: Path) -> None:
    assert parse_om(memoryview(real.read_bytes())) == read_om_summary(real)


@pytest.mark.parametrize("size", [0, 3, 4, 300, 100_000, 618_992])
def test_a_real_file_cut_short_is_refused(real: Path, tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.om"
    path.write_bytes(real.read_bytes()[:size])
    with pytest.raises(ModelFileError) as refusal:
        read_om_summary(path)
    assert refusal.value.where == str(path) and refusal.value.fix


def test_the_weights_are_never_read(tmp_path: Path) -> None:
    path = tmp_path / "large.om"
    content = bytearray(build_om([Model(weights=b"", tasks=b"", kernels=b"")]))
    weights_bytes = 1 << 30
    struct.pack_into("<I", content, 260 + 12 + 8, weights_bytes)
    for entry in (2, 3):
        struct.pack_into("<I", content, 260 + 12 * entry + 4, weights_bytes + len(content) - 308)
    struct.pack_into("<I", content, 76, len(content) - 256 + weights_bytes)
    with path.open("wb") as file:
        file.write(content)
        file.truncate(len(content) + weights_bytes)  # a hole: takes no room on the disk
    tracemalloc.start()
    try:
        summary = read_om_summary(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert summary.models[0].weights_bytes == weights_bytes
    assert peak < 1 << 20


def test_files_of_other_kinds_are_told_apart(tmp_path: Path) -> None:
    for content, words in (
        (b"PICO" + bytes(300), "SVP"),
        (b"\x08\x06\x12\x07pytorch", "no .om file"),
        (b"", "no .om file"),
        (b"IMOD", "damaged"),
    ):
        path = tmp_path / "model.om"
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=words):
            read_om_summary(path)


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.om"):
        with pytest.raises(InputError):
            read_om_summary(path)


def test_a_disk_that_fails_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(content: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("atlas_hpe.om_file.read.read_header", fail)
    path = tmp_path / "hand.om"
    path.write_bytes(build_om([Model()]))
    with pytest.raises(InputError, match="can't be read"):
        read_om_summary(path)


def test_a_file_without_a_definition_still_shows_its_partitions() -> None:
    header = bytearray(build_om([Model()])[:256])
    body = struct.pack("<IIII", 1, 24, 0, 4) + b"list"
    struct.pack_into("<I", header, 76, len(body))
    (model,) = parse_om(bytes(header) + body).models
    assert (model.name, model.inputs) == ("hand", ())
    assert [part.kind for part in model.partitions] == ["BUNDLE_MODEL_INFO"]
