"""Bundles come back as they were recorded, and a bad one is refused in one clear sentence."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Callable, Dict, List, Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from parity_cases import CARD, FACTS, answers, feeds, sample

from atlas_hpe.errors import InputError, OutputError, UsageError
from atlas_hpe.parity import Answer, ParityBundle, Sample, record_answers, record_bundle
from atlas_hpe.parity import arrays as arrays_module
from atlas_hpe.parity.arrays import ArrayFile, write_array

ArrayChange = Callable[[bytes], bytes]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.npz"
    record_bundle(path, answers(), FACTS)
    return path


def same(one: Optional[np.ndarray], other: Optional[np.ndarray]) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and np.array_equal(one, other)


def test_a_bundle_gives_back_what_was_recorded(bundle: Path) -> None:
    with ParityBundle(bundle) as opened:
        assert opened.facts.card == CARD
        assert opened.facts.reference == "net.pt"
        assert opened.facts.tools["torch"] == "2"
        assert {"atlas-hpe", "python", "numpy"} < set(opened.facts.tools)
        assert opened.samples == ("picture 0.jpg", "picture 1.jpg")
        for want, have in zip(answers(), opened.answers()):
            assert want.sample.name == have.sample.name
            assert same(want.sample.feeds["y"], have.sample.feeds["y"])
            assert same(want.outputs["y"], have.outputs["y"])
            assert same(want.sample.crop, have.sample.crop)
            assert same(want.sample.to_source, have.sample.to_source)
            assert same(want.joints, have.joints)


def test_what_a_sample_lacks_is_still_lacking(tmp_path: Path) -> None:
    plain = Answer(sample("noise 0"), {"y": np.ones(2, np.float16)})
    record_bundle(tmp_path / "b.npz", [plain], FACTS)
    with ParityBundle(tmp_path / "b.npz") as opened:
        (found,) = opened.answers()
    assert found.joints is None
    assert (found.sample.crop, found.sample.to_source) == (None, None)
    assert found.outputs["y"].dtype == np.float16


def test_inputs_are_told_apart_by_name_and_not_by_order(tmp_path: Path) -> None:
    a, b = np.zeros(2, np.float32), np.ones(2, np.float32)
    given_answers = [
        Answer(Sample("one", {"a": a, "b": b}), {"x": a, "z": b}),
        Answer(Sample("two", {"b": b, "a": a}), {"z": b, "x": a}),
    ]
    record_bundle(tmp_path / "b.npz", given_answers, FACTS)
    with ParityBundle(tmp_path / "b.npz") as opened:
        for found in opened.answers():
            assert same(found.sample.feeds["a"], a)
            assert same(found.outputs["z"], b)


@settings(max_examples=60)
@given(
    arrays.arrays(
        st.sampled_from(["<f4", "<f2", "<f8", "|u1", "|i1", "<i4", "<i8", "|b1"]).map(np.dtype),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    )
)
def test_arrays_of_all_kinds_come_back(array: np.ndarray) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        write_array(archive, "x", array)
    with np.load(io.BytesIO(buffer.getvalue()), allow_pickle=False) as opened:
        np.testing.assert_array_equal(opened["x"], array)
    path = Path(__file__).with_name("no such file")
    with pytest.raises(InputError, match="does not exist"):
        ArrayFile(path)


def test_what_numpy_writes_is_read_fortran_order_too(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.float32).reshape(4, 6).T
    assert array.flags.f_contiguous
    np.savez_compressed(tmp_path / "a.npz", x=array)
    with ArrayFile(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(file.read("x"), array)
        assert "x" in file
        assert "y" not in file
        with pytest.raises(InputError, match="the array 'y' is missing"):
            file.read("y")


def test_an_existing_bundle_is_kept_unless_forced(bundle: Path) -> None:
    before = bundle.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        record_bundle(bundle, answers(), FACTS)
    assert bundle.read_bytes() == before
    record_bundle(bundle, answers(1), FACTS, force=True)
    with ParityBundle(bundle) as opened:
        assert len(opened.samples) == 1


def test_a_recording_that_is_given_up_leaves_no_file(tmp_path: Path) -> None:
    with closing(record_answers(tmp_path / "b.npz", answers(), FACTS)) as recorded:
        next(recorded)
    with pytest.raises(UsageError, match="nothing to record"):
        record_bundle(tmp_path / "b.npz", [], FACTS)
    assert list(tmp_path.iterdir()) == []


def repack(path: Path, name: str, edit: Optional[ArrayChange]) -> None:
    """Change or remove one entry, and give the zip file a right checksum again."""
    with zipfile.ZipFile(str(path)) as archive:
        entries: Dict[str, bytes] = {item: archive.read(item) for item in archive.namelist()}
    if edit is None:
        del entries[name]
    else:
        entries[name] = edit(entries[name])
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
        for item, data in entries.items():
            archive.writestr(item, data)


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def header(text: str, body: bytes = b"") -> bytes:
    data = text.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(data)) + data + body


class Bomb:
    """Unpickling it would be seen."""

    def __reduce__(self) -> tuple:
        return pytest.fail, ("unpickled",)


FEED = "sample_0000/feed_0.npy"
HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 999999), }"
BAD_ARRAYS: Dict[str, bytes] = {
    "objects": npy(np.array([Bomb()], dtype=object), allow_pickle=True),
    "a plain pickle": pickle.dumps(Bomb()),
    "a huge shape": header(HUGE, bytes(64)),
    "more digits than a number has": header(HUGE.replace("999999)", "9" * 5000 + ")")),
    "a negative size": header(HUGE.replace("999999999999", "-1")),
    "a shape that says more": header(HUGE.replace("999999999999, 999999", "3"), bytes(8)),
    "a shape that says less": header(HUGE.replace("999999999999, 999999", "1"), bytes(8)),
    "a structured type": npy(np.zeros(2, dtype=[("a", "<f4")])),
    "text": npy(np.array(["abc"])),
    "an unknown type": header(HUGE.replace("<f4", "<f7").replace("999999999999, 999999", "")),
    "code in the header": header("__import__('os').abort()"),
    "deep brackets": header("(" * 60000),
    "too many dimensions": header(HUGE.replace("999999999999, 999999", "0, " * 100)),
    "an empty array too large": header(HUGE.replace("999999)", "999999, " * 9 + "0)")),
    "nothing": b"",
    "no numpy": b"PNG" * 100,
    "a cut header": b"\x93NUMPY\x01\x00\xff",
    "another version": b"\x93NUMPY\x03\x00" + bytes(20),
    "big-endian numbers": npy(np.zeros(2, ">f4")),
}


@pytest.mark.parametrize("kind", sorted(BAD_ARRAYS))
def test_an_array_that_is_none_is_refused_with_its_name(bundle: Path, kind: str) -> None:
    repack(bundle, FEED, lambda _data: BAD_ARRAYS[kind])
    with ParityBundle(bundle) as opened, pytest.raises(InputError) as caught:
        list(opened.answers())
    assert "the parity bundle can't be used" in caught.value.what
    assert "sample_0000/feed_0" in str(caught.value.why)
    assert "record it again" in str(caught.value.fix)


WRONG: Dict[str, np.ndarray] = {
    "crop": np.zeros((4, 4), np.uint8),
    "to_source": np.array([[1.0, 0, 0], [0, np.nan, 0]]),
    "joints": np.zeros((20, 2)),
}


@pytest.mark.parametrize("part", sorted(WRONG))
def test_a_part_of_another_shape_is_refused(bundle: Path, part: str) -> None:
    repack(bundle, f"sample_0000/{part}.npy", lambda _data: npy(WRONG[part]))
    with ParityBundle(bundle) as opened, pytest.raises(InputError, match="can't be used") as caught:
        list(opened.answers())
    assert f"sample_0000/{part}" in str(caught.value.why)


def change_manifest(path: Path, **changes: object) -> None:
    def edit(data: bytes) -> bytes:
        manifest = json.loads(bytes(np.load(io.BytesIO(data))).decode())
        manifest.update(changes)
        text = json.dumps(manifest).encode()
        return npy(np.frombuffer(text, np.uint8))

    repack(path, "manifest.npy", edit)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "it has version 2, this release reads 1"),
        ({"version": True}, "it has version True"),
        ({"format": "other"}, "not a parity bundle"),
        ({"samples": []}, "'samples' in its manifest"),
        ({"inputs": [1]}, "'inputs' in its manifest"),
        ({"outputs": "y"}, "'outputs' in its manifest"),
        ({"reference": None}, "'reference' in its manifest"),
        ({"tools": {"a": 1}}, "'tools' in its manifest"),
        ({"card": {"card_version": 9}}, "its card is not one"),
        ({"card": []}, "its card is not one"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_the_place(
    bundle: Path, changes: Dict[str, object], words: str
) -> None:
    change_manifest(bundle, **changes)
    with pytest.raises(InputError, match="can't be used") as caught:
        ParityBundle(bundle)
    assert words in str(caught.value.why)


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"[]", b"{", b"[" * 100000, b'{"format": NaN'], ids=repr
)
def test_a_manifest_that_is_no_json_object_is_refused(bundle: Path, text: bytes) -> None:
    repack(bundle, "manifest.npy", lambda _data: npy(np.frombuffer(text, np.uint8)))
    with pytest.raises(InputError, match="can't be used"):
        ParityBundle(bundle)


def test_a_missing_array_is_named(bundle: Path) -> None:
    repack(bundle, "sample_0001/output_0.npy", None)
    with ParityBundle(bundle) as opened, pytest.raises(InputError) as caught:
        list(opened.answers())
    assert "the array 'sample_0001/output_0' is missing" in str(caught.value.why)


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.npz"
    for data in (b"", b"not a zip", b"PK\x05\x06" + bytes(18), bytes(1000)):
        path.write_bytes(data)
        with pytest.raises(InputError, match="can't be used"):
            ParityBundle(path)
    with pytest.raises(InputError, match="found a folder"):
        ParityBundle(tmp_path)


def read_all(path: Path) -> None:
    with ParityBundle(path) as opened:
        list(opened.answers())


def test_a_truncated_bundle_is_refused_at_every_length(bundle: Path) -> None:
    data = bundle.read_bytes()
    for length in range(0, len(data) - 1, max(1, len(data) // 97)):
        bundle.write_bytes(data[:length])
        with pytest.raises(InputError, match="can't be used"):
            read_all(bundle)


def test_damaged_bytes_are_one_clear_error_or_do_no_harm(bundle: Path) -> None:
    data = bundle.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        bad = bytearray(data)
        for place in rng.integers(0, len(bad), 3):
            bad[place] = rng.integers(0, 256)
        bundle.write_bytes(bytes(bad))
        try:
            read_all(bundle)
        except InputError:
            refused += 1
    assert refused > 150


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "b.npz"
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive, archive.open(
        "manifest.npy", "w"
    ) as entry:
        for _ in range(260):
            entry.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(InputError, match="can't be used") as caught:
        ParityBundle(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "claims more than 256 MiB" in str(caught.value.why)
    assert peak < 1 << 22


def test_more_arrays_than_a_bundle_holds_are_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays_module, "_MAX_ENTRIES", 10)
    with pytest.raises(InputError) as caught:
        ParityBundle(bundle)
    assert "it claims 11 arrays" in str(caught.value.why)


def test_an_entry_packed_by_another_method_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.npz"
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("manifest.npy", b"x")
    with pytest.raises(InputError) as caught:
        ParityBundle(path)
    assert "a method that numpy does not use" in str(caught.value.why)


def test_answers_pass_through_a_recording_unchanged(tmp_path: Path) -> None:
    given_answers = answers()
    passed: List[Answer] = list(record_answers(tmp_path / "b.npz", given_answers, FACTS))
    assert all(one is other for one, other in zip(passed, given_answers))
    assert len(feeds(2)) == len(passed)
