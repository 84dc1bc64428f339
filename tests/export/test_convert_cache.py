"""The cache of compiled models: same request, same file; never a failure, never a wrong file."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

import pytest

import tiny_onnx
from atlas_hpe.card import BuildRecord
from atlas_hpe.errors import InputError
from atlas_hpe_export.convert.cache import (
    CachedModel,
    ModelCache,
    cache_key,
    container_identity,
    open_cache,
    program_identity,
    why_not_kept,
)

RECORD = BuildRecord("atc 5.0.4", False, {"soc_version": "Ascend310"}, "a", "b", 1.5, 20.0, "x86")
MODEL = CachedModel(b"IMOD\n\nmodel\x00", RECORD, "ATC run success\n")


@pytest.fixture
def said() -> List[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, said: List[str]) -> ModelCache:
    found = open_cache({"XDG_CACHE_HOME": str(tmp_path)}, said.append)
    assert found is not None
    return found


def entries(folder: Path) -> List[Path]:
    return sorted((folder / "atlas-hpe").iterdir())


def test_a_model_comes_back_as_it_was_kept(cache: ModelCache, said: List[str]) -> None:
    assert cache.lookup("k") is None
    cache.store("k", MODEL)
    assert cache.lookup("k") == MODEL
    assert cache.lookup("l") is None
    assert said == []


def test_nobody_else_can_read_or_replace_what_is_kept(cache: ModelCache, tmp_path: Path) -> None:
    cache.store("k", MODEL)
    (entry,) = entries(tmp_path)
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(entry.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("place", [0, 30, 64, 65, 100, -1])
def test_a_damaged_entry_is_a_miss_and_is_removed(
    cache: ModelCache, tmp_path: Path, said: List[str], place: int
) -> None:
    cache.store("k", MODEL)
    (entry,) = entries(tmp_path)
    content = bytearray(entry.read_bytes())
    content[place] ^= 1
    entry.write_bytes(bytes(content))
    assert cache.lookup("k") is None
    assert not entry.exists()
    assert len(said) == 1
    assert "damaged" in said[0]


@pytest.mark.parametrize("size", [0, 10, 64, 65, 200])
def test_a_cut_entry_is_a_miss(cache: ModelCache, tmp_path: Path, size: int) -> None:
    cache.store("k", MODEL)
    (entry,) = entries(tmp_path)
    entry.write_bytes(entry.read_bytes()[:size])
    assert cache.lookup("k") is None
    assert entries(tmp_path) == []


def test_the_least_recently_used_goes_first(tmp_path: Path, said: List[str]) -> None:
    cache = ModelCache(tmp_path, said.append, max_models=2)
    for age, key in enumerate("ab"):
        cache.store(key, MODEL)
        os.utime(str(tmp_path / f"{key}.model"), (1000 + age, 1000 + age))
    assert cache.lookup("a") is not None  # now b is the oldest
    cache.store("c", MODEL)
    assert cache.lookup("b") is None
    assert cache.lookup("a") is not None
    assert cache.lookup("c") is not None


def test_all_entries_together_stay_below_the_limit(tmp_path: Path, said: List[str]) -> None:
    cache = ModelCache(tmp_path, said.append, max_bytes=3000)
    for key in "abcd":
        cache.store(key, replace(MODEL, om=bytes(1000)))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3000
    assert cache.lookup("d") is not None
    cache.store("e", replace(MODEL, om=bytes(4000)))  # larger than all of it: others stay
    assert cache.lookup("e") is None
    assert cache.lookup("d") is not None
    assert said == []


def test_what_a_killed_program_left_is_cleared_and_what_a_running_one_writes_is_not(
    cache: ModelCache, tmp_path: Path
) -> None:
    old, new = (tmp_path / "atlas-hpe" / f".{name}.1.part.model" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(str(old), (1000, 1000))
    cache.store("k", MODEL)
    assert not old.exists()
    assert new.exists()
    assert cache.lookup("k") == MODEL


def test_two_at_once_leave_whole_entries(tmp_path: Path, said: List[str]) -> None:
    def work(number: int) -> bool:
        cache = ModelCache(tmp_path, said.append, max_models=2)
        key = "abc"[number % 3]
        cache.store(key, replace(MODEL, om=key.encode() * 10000))
        found = cache.lookup(key)
        return found is None or found.om == key.encode() * 10000

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(60)))
    assert said == []
    assert len(list(tmp_path.iterdir())) <= 3


def test_an_entry_that_another_process_removes_first_is_no_fault(
    tmp_path: Path, said: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove_twice(path: Path) -> None:
        for _ in range(2):
            os.remove(str(path))  # noqa: PTH107 - in the place of Path.unlink

    cache = ModelCache(tmp_path, said.append, max_models=1)
    cache.store("a", MODEL)
    os.utime(str(tmp_path / "a.model"), (1000, 1000))
    monkeypatch.setattr(Path, "unlink", remove_twice)
    cache.store("b", MODEL)
    assert said == []
    assert [path.name for path in tmp_path.iterdir()] == ["b.model"]


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"XDG_CACHE_HOME": "relative"}])
def test_without_a_home_there_is_no_cache_and_one_line_says_so(
    environ: Dict[str, str], said: List[str]
) -> None:
    assert open_cache(environ, said.append) is None
    assert said == ["compiled models are not kept: neither XDG_CACHE_HOME nor HOME names a folder"]


def test_the_home_folder_is_taken_when_nothing_else_is_named(
    tmp_path: Path, said: List[str]
) -> None:
    cache = open_cache({"HOME": str(tmp_path), "XDG_CACHE_HOME": "relative"}, said.append)
    assert cache is not None
    cache.store("k", MODEL)
    assert (tmp_path / ".cache" / "atlas-hpe" / "k.model").is_file()


def test_a_cache_that_can_not_be_made_is_no_failure(tmp_path: Path, said: List[str]) -> None:
    (tmp_path / "atlas-hpe").write_bytes(b"a file where the folder should be")
    assert open_cache({"XDG_CACHE_HOME": str(tmp_path)}, said.append) is None
    assert len(said) == 1


def test_a_folder_that_others_can_write_to_is_not_trusted(tmp_path: Path, said: List[str]) -> None:
    folder = tmp_path / "atlas-hpe"
    folder.mkdir()
    folder.chmod(0o777)
    assert open_cache({"XDG_CACHE_HOME": str(tmp_path)}, said.append) is None
    assert "another user" in said[0]


def test_a_full_disk_loses_the_entry_and_nothing_else(
    cache: ModelCache, tmp_path: Path, said: List[str]
) -> None:
    (tmp_path / "atlas-hpe").rmdir()  # as good as full: no file can be made
    cache.store("k", MODEL)
    assert len(said) == 1
    assert "not kept" in said[0]
    assert cache.lookup("k") is None


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "hand.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    return path


FLAGS = ("--framework=5", "--insert_op_conf=aipp.cfg")
FILES = {"aipp.cfg": "aipp_op { }"}


def test_the_key_holds_all_that_decides_over_the_model(model: Path, tmp_path: Path) -> None:
    def key(
        flags: Sequence[str] = FLAGS,
        files: Mapping[str, str] = FILES,
        toolchain: str = "atc 5",
    ) -> str:
        return cache_key(model, flags, files, toolchain)

    first = key()
    others = [
        key(flags=("--framework=5",)),
        key(flags=(FLAGS[0] + FLAGS[1], "")),
        key(files={"aipp.cfg": "aipp_op { crop: true }"}),
        key(toolchain="atc 6"),
    ]
    model.write_bytes(tiny_onnx.hand_model(18))
    others.append(key())
    assert len({first, *others}) == 6
    model.write_bytes(tiny_onnx.hand_model())
    copy = tmp_path / "other name.onnx"
    model.replace(copy)
    assert cache_key(copy, FLAGS, FILES, "atc 5") == first


def test_files_that_a_flag_names_count_by_their_content(model: Path, tmp_path: Path) -> None:
    listed = tmp_path / "mixlist.json"
    flags = (f"--modify_mixlist={listed}",)
    without = cache_key(model, flags, {}, "atc")
    listed.write_text("{}")
    first = cache_key(model, flags, {}, "atc")
    listed.write_text('{"black-list": {}}')
    assert len({without, first, cache_key(model, flags, {}, "atc")}) == 3


def test_weights_beside_the_model_count(tmp_path: Path) -> None:
    path = tmp_path / "outside.onnx"
    node = tiny_onnx.node("Add", ["x", "w"], ["y"])
    weights = [tiny_onnx.external_tensor("w", (1,), "w.bin")]
    path.write_bytes(tiny_onnx.model([node], {"x": (1,)}, {"y": (1,)}, weights))
    keys = set()
    for content in (b"\0\0\0\0", b"\0\0\0\1"):
        (tmp_path / "w.bin").write_bytes(content)
        keys.add(cache_key(path, (), {}, "atc"))
    assert len(keys) == 2


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        cache_key(tmp_path / "none.onnx", (), {}, "atc")


def test_a_value_that_no_file_can_have_is_just_a_value(model: Path) -> None:
    assert cache_key(model, ("--input_shape=" + "x" * 5000, "--a=b\0c"), {}, "atc")


def test_another_program_or_version_is_another_toolchain(tmp_path: Path) -> None:
    atc = tmp_path / "atc"
    atc.write_bytes(b"one")
    found = {program_identity(atc, "5.0.4"), program_identity(atc, "6.0.1")}
    atc.write_bytes(b"other")
    found.add(program_identity(atc, "5.0.4"))
    os.utime(str(atc), (1000, 1000))
    found.add(program_identity(atc, "5.0.4"))
    link = tmp_path / "link"
    link.symlink_to(atc)
    assert program_identity(link, "5.0.4") in found
    found |= {program_identity(atc, None), container_identity("sha256:1")}
    assert len(found) == 6


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (("--soc_version=Ascend310",), True),
        (("--external_weight=0",), True),
        (("--external_weight=1",), False),
        (("--op_bank_path=/bank",), False),
        (("--mdl_bank_path=/bank",), False),
    ],
)
def test_models_that_folders_belong_to_are_not_kept(flags: Tuple[str, ...], kept: bool) -> None:
    assert (why_not_kept(flags) is None) == kept
