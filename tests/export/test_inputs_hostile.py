"""Hundreds of files that are broken, lie or attack: one clear error each, soon, and nothing run."""

from __future__ import annotations

import contextlib
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator, List, Set

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import hostile_onnx  # noqa: E402
import hostile_programs  # noqa: E402
import hostile_safetensors  # noqa: E402
from hostile_files import hostile_checkpoint_files, hostile_onnx_files  # noqa: E402

from atlas_hpe.errors import AtlasHpeError  # noqa: E402
from atlas_hpe_export.inputs import open_input  # noqa: E402

LIMIT_S = 5.0
LIMIT_BYTES = 600 << 20
WRITERS = {"checkpoint": hostile_checkpoint_files, "onnx": hostile_onnx_files}
LEAST = {"checkpoint": 200, "onnx": 120}
#: What the refusal says, where a library behind ours would refuse as well, only later.
EXPECTED = {
    "pickle-hidden_by_name": "holds code",
    "pickle-torch_load": "holds code",
    "larger_than_allowed": "4294967296 are allowed",
    "safetensors-header_length_huge": "its header claims",
    "safetensors-name_twice": "a name occurs twice",
    "safetensors-key_twice": "a name occurs twice",
    "safetensors-hole": "leaves a hole before it",
    "safetensors-overlap": "overlaps another",
    "safetensors-data_after_the_end": "its tensors take 32 bytes, 33 follow",
    "safetensors-beyond_the_file": "its tensors take 4024 bytes, 32 follow",
    "torchscript-data_is_code": "objects that are not its own",
    "torchscript-data_is_large": "is larger than 2097152 bytes",
    "torchscript-data_asks_for_a_cpp_class": "objects that are not its own",
    "torchscript-source_with_hidden_in_a_text": "could touch files",
    "torchscript-weights_repeat": "it claims 4000000000000 bytes, 4 are stored",
    "exported-calls_the_shell": "the operator 'torch.os.system'",
    "exported-calls_attrgetter": "the operator '_operator.attrgetter'",
    "exported-calls_hidden_names": "the operator 'torch.ops.aten.__class__.mro'",
    "exported-maps_a_file": "the operator 'torch.ops.aten.from_file.default'",
    "exported-size_is_code": "the symbolic size",
    "exported-size_is_symbolic": "the symbolic size",
    "exported-tree_imports": "of the type 'collections.defaultdict'",
    "exported-tree_is_of_a_stranger": "of the type 'stranger.Output'",
    "exported-tree_holds_an_enum": "of the type 'builtins.dict'",
    "exported-weight_is_pickled": "holds pickled objects",
    "exported-weight_has_another_name": "holds pickled objects",
    "exported-weight_claims_terabytes": "has 0 bytes and a size of",
    "exported-weight_of_negative_size": "a size of {'as_int': -1}",
    "exported-weight_repeats": "has 432 bytes and claims 160000 numbers",
    "exported-program_is_large": "has more than 33554432 bytes",
    "exported-in_two_folders": "its entries lie in 2 folders",
    "weights_length_beyond_the_end.onnx": "beyond the end of a file",
}


def names_in(folder: Path) -> Set[str]:
    return {path.name for path in folder.iterdir()}


def complaints(path: Path) -> Iterator[str]:
    """What is wrong with how a file is refused."""
    before, start = names_in(path.parent), time.monotonic()
    try:
        open_input(path, input_shapes=["1,3,8,8"] if path.suffix != ".onnx" else [])
        yield "was taken"
    except AtlasHpeError as error:
        text = str(error)
        if not 20 < len(text) < 1500 or "Traceback" in text:
            yield f"is refused with {text!r}"
        if EXPECTED.get(path.name, "") not in text:
            yield f"should say {EXPECTED[path.name]!r}, says {text!r}"
        if path.name not in text and "--input-shape" not in text:
            yield f"is not named in {text!r}"
    if time.monotonic() - start > LIMIT_S:
        yield f"took {time.monotonic() - start:.1f} s"
    if names_in(path.parent) != before:
        yield "left a file"


@pytest.mark.slow
@pytest.mark.parametrize("family", WRITERS)
def test_every_hostile_file_gives_one_clear_error(
    family: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    found: List[str] = []
    seen: Set[str] = set()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in WRITERS[family](folder):
        seen.add(path.name)
        found += [f"{path.name} {text}" for text in complaints(path)]
    assert found == []
    assert len(seen) >= LEAST[family]
    assert {name for name in EXPECTED if name.endswith(".onnx") == (family == "onnx")} <= seen
    assert not (folder / "was-run").exists(), "code in a file was run"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) << 10
    assert grown < LIMIT_BYTES
    assert capfd.readouterr() == ("", ""), "libraries said something of their own"


def flipped(whole: bytes, seed: int) -> bytes:
    rng = random.Random(seed)
    data = bytearray(whole)
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


FLIPPED = {
    "onnx": (lambda: hostile_onnx.model().SerializeToString(), 150),
    "safetensors": (lambda: hostile_safetensors.safetensors(hostile_safetensors.GOOD_HEADER), 150),
    "torchscript": (hostile_programs.traced, 60),
    "exported": (hostile_programs.exported, 60),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", FLIPPED)
def test_flipped_bits_are_a_clear_error_or_harmless(family: str, tmp_path: Path) -> None:
    make, count = FLIPPED[family]
    whole = make()
    path = tmp_path / ("model.onnx" if family == "onnx" else "model")
    refused = 0
    for seed in range(count):
        path.write_bytes(flipped(whole, seed))
        start = time.monotonic()
        try:
            open_input(path, input_shapes=[] if family == "onnx" else ["1,3,8,8"])
        except AtlasHpeError:
            refused += 1
        assert time.monotonic() - start < LIMIT_S, seed
        assert names_in(tmp_path) == {path.name}
    assert refused > count // 4


LARGE = {
    "pickle-huge_memo",
    "pickle-huge_text",
    "zip_bomb",
    "torchscript-source_is_a_bomb",
    "exported-weight_claims_terabytes",
    "safetensors-shape_is_terabytes",
}
LITTLE_MEMORY = """
import resource, sys
from atlas_hpe.errors import AtlasHpeError
from atlas_hpe_export.inputs import open_input
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)
for path in sys.argv[1:]:
    try:
        open_input(path, input_shapes=["1,3,8,8"])
    except AtlasHpeError as error:
        print(error)
"""


def run(*command: object, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", *map(str, command)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_memory_is_bounded_in_a_process_that_has_little(tmp_path: Path) -> None:
    paths = [path for path in hostile_checkpoint_files(tmp_path) if path.name in LARGE]
    assert {path.name for path in paths} == LARGE
    done = run(LITTLE_MEMORY, *paths, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(str(path) in done.stdout for path in paths)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["code_in_zip", "torchscript-source_with_save", "cycle_of_two.onnx"]
)
def test_the_command_refuses_with_one_error_and_exit_2(name: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    every = (*hostile_checkpoint_files(files), *hostile_onnx_files(files))
    path = next(item for item in every if item.name == name)
    folder = tmp_path / "here"
    folder.mkdir()
    done = run(
        "from atlas_hpe.cli import main; main()",
        *("export", path, "--out", "model.onnx"),
        folder=folder,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("error: ") == 1 and "Traceback" not in done.stderr
    assert f"where: {path}" in done.stderr
    assert list(folder.iterdir()) == []
    assert not (files / "was-run").exists()


ATTACKS: List[Callable[[Path], None]] = []


def attack(run: Callable[[Path], None]) -> Callable[[Path], None]:
    ATTACKS.append(run)
    return run


@attack
def size_that_is_evaluated(folder: Path) -> None:
    path = folder / "model.pt2"
    path.write_bytes(hostile_programs.hostile_exported(folder / "was-run")["size_is_code"])
    torch.export.load(path)


@attack
def operator_that_saves(folder: Path) -> None:
    path = folder / "model.pt"
    path.write_bytes(hostile_programs.scripted(hostile_programs.Writes(str(folder / "was-run"))))
    torch.jit.load(path)(torch.zeros(1))


@attack
def operator_that_maps(folder: Path) -> None:
    path = folder / "model.pt"
    path.write_bytes(hostile_programs.scripted(hostile_programs.Maps(str(folder / "was-run"))))
    torch.jit.load(path)(torch.zeros(1))


@attack
def sample_inputs_that_run(folder: Path) -> None:
    path = folder / "model.pt2"
    path.write_bytes(hostile_programs.with_attack_in_samples(folder / "was-run"))
    torch.export.load(path)


@pytest.mark.parametrize("run", ATTACKS, ids=lambda run: run.__name__)
def test_the_attacks_are_real(run: Callable[[Path], None], tmp_path: Path) -> None:
    with contextlib.suppress(Exception):  # what comes after the attack does not matter
        run(tmp_path)
    assert (tmp_path / "was-run").exists()


def test_an_attack_in_what_is_left_behind_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(hostile_programs.with_attack_in_samples(tmp_path / "was-run"))
    assert open_input(path).kind == "exported-program"
    assert not (tmp_path / "was-run").exists()
