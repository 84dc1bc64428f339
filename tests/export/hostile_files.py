"""Files that are broken, lie, or attack.

Checkpoints are here, each written by the function of its name. ``hostile_checkpoint_files`` and
``hostile_onnx_files`` write everything that there is of their kind into a folder, one by one.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Callable, Dict, Iterator

import torch
from hostile_onnx import hostile_models
from hostile_programs import hostile_exported, hostile_torchscript
from hostile_safetensors import hostile_safetensors

GOOD = {"conv.weight": torch.ones(2, 3), "conv.bias": torch.zeros(2)}


class RunsAFile:
    """Unpickling it would create a file: proof that it was run."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):  # noqa: ANN204
        return Path.touch, (self.marker,)


class RunsTheShell:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):  # noqa: ANN204
        return os.system, (f"touch '{self.marker}'",)


def text(path: Path) -> None:
    path.write_text("epoch,loss\n1,0.5\n" * 20)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.mkdir()


def missing(path: Path) -> None:
    """Writes nothing."""


def mp4(path: Path) -> None:
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(200))


def random_bytes(path: Path) -> None:
    path.write_bytes(bytes((7 * i * i + 3) % 251 for i in range(5000)))


def truncated_zip(path: Path) -> None:
    torch.save(GOOD, path)
    path.write_bytes(path.read_bytes()[:-200])


def truncated_legacy(path: Path) -> None:
    torch.save(GOOD, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-8])


def changed_weight(path: Path) -> None:
    torch.save(GOOD, path)
    data = bytearray(path.read_bytes())
    start = data.index(struct.pack("<f", 1.0) * 6)
    data[start + 3] ^= 0x40
    path.write_bytes(bytes(data))


def changed_bytes(path: Path) -> None:
    torch.save(GOOD, path)
    data = bytearray(path.read_bytes())
    start = data.index(b"ctorch._utils")
    data[start : start + 6] = b"\xff" * 6
    path.write_bytes(bytes(data))


def zip_of_something_else(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))


def two_entries_of_one_name(path: Path) -> None:
    torch.save(GOOD, path)
    path.write_bytes(path.read_bytes().replace(b"/data/1", b"/data/0"))


def lying_directory(path: Path) -> None:
    """The directory claims that a stored tensor holds 4 GB."""
    torch.save(GOOD, path)
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"/data/0"))
    huge = struct.pack("<II", 0xEFFFFFFF, 0xEFFFFFFF)
    data[entry + 20 : entry + 28] = huge
    path.write_bytes(bytes(data))


def larger_than_allowed(path: Path) -> None:
    """A whole archive, and then zeros that take no room on the disk."""
    torch.save(GOOD, path)
    os.truncate(path, (4 << 30) + 1)


def huge_pickle(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(9 << 20))
        archive.writestr("archive/version", "3")


def torchscript(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))


def exported_program(path: Path) -> None:
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),)), str(path))


def code_in_zip(path: Path) -> None:
    torch.save({"state_dict": GOOD, "note": RunsAFile(path.parent / "was-run")}, path)


def code_of_the_shell(path: Path) -> None:
    torch.save({"note": RunsTheShell(path.parent / "was-run")}, path)


def code_in_legacy(path: Path) -> None:
    thing = {"note": RunsTheShell(path.parent / "was-run")}
    torch.save(thing, path, _use_new_zipfile_serialization=False)


def code_in_protocol_4(path: Path) -> None:
    torch.save({"note": RunsTheShell(path.parent / "was-run")}, path, pickle_protocol=4)


def plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"note": RunsTheShell(path.parent / "was-run")}))


def whole_module(path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), path)


def a_list(path: Path) -> None:
    torch.save([torch.ones(2)], path)


def a_single_tensor(path: Path) -> None:
    torch.save(torch.ones(2), path)


def empty_dictionary(path: Path) -> None:
    torch.save({}, path)


def numbers_among_tensors(path: Path) -> None:
    torch.save({**GOOD, "epoch": 5}, path)


def number_keys(path: Path) -> None:
    torch.save({1: torch.ones(2)}, path)


def integer_tensor(path: Path) -> None:
    torch.save({**GOOD, "faces": torch.ones(2, dtype=torch.int64)}, path)


def complex_tensor(path: Path) -> None:
    torch.save({**GOOD, "spectrum": torch.ones(2, dtype=torch.complex64)}, path)


def sparse_tensor(path: Path) -> None:
    torch.save({**GOOD, "sparse": torch.eye(3).to_sparse()}, path)


def meta_tensor(path: Path) -> None:
    torch.save({**GOOD, "ghost": torch.ones(10**6, 10**6, device="meta")}, path)


def four_bytes_that_claim_terabytes(path: Path) -> None:
    torch.save({**GOOD, "big": torch.ones(1).expand(10**6, 10**6)}, path)


#: Writer -> a part of the message that tells the user what it is.
HOSTILE: Dict[Callable[[Path], None], str] = {
    missing: "does not exist",
    folder: "found a folder",
    empty: "the file is empty",
    text: "it looks like text",
    mp4: "it looks like an MP4 video",
    random_bytes: "not a PyTorch checkpoint",
    plain_pickle: "a plain Python pickle",
    truncated_zip: "cut short",
    truncated_legacy: "torch can't read",
    changed_bytes: "damaged",
    changed_weight: "checksum",
    zip_of_something_else: "it holds no data.pkl",
    zip_bomb: "compressed zip archive",
    two_entries_of_one_name: "two entries of the archive have the same name",
    lying_directory: "its entries claim",
    larger_than_allowed: "the file has 4294967297 bytes, 4294967296 are allowed",
    huge_pickle: "claims more than it may",
    torchscript: "TorchScript",
    exported_program: "torch.export",
    code_in_zip: "holds code",
    code_of_the_shell: "posix.system",
    code_in_legacy: "posix.system",
    code_in_protocol_4: "posix.system",
    whole_module: "torch.nn.modules.linear.Linear",
    a_list: "no dictionary of tensors",
    a_single_tensor: "no dictionary of tensors",
    empty_dictionary: "an empty dictionary",
    numbers_among_tensors: "'epoch'",
    number_keys: "'1'",
    integer_tensor: "its type is int64",
    complex_tensor: "its type is complex64",
    sparse_tensor: "its layout is torch.sparse_coo",
    meta_tensor: "it has no values",
    four_bytes_that_claim_terabytes: "it claims 4000000000000 bytes, 4 are stored",
}


#: Writers above whose files are programs, which ``load_checkpoint`` refuses and an export takes.
PROGRAMS = (torchscript, exported_program)
_PICKLES = {
    "eval": b"c__builtin__\neval\n(X\x05\0\0\0print\x85R.",
    "exec": b"cbuiltins\nexec\n(X\x04\0\0\0pass\x85R.",
    "old_opcode": b"(S'id'\nios\nsystem\n.",
    "getattr": b"cbuiltins\ngetattr\n(ctorch\nload\nX\x01\0\0\0a\x86R.",
    "subprocess": b"csubprocess\ncheck_output\n(]X\x02\0\0\0ida\x85R.",
    "torch_load": b"ctorch\nload\n(X\x01\0\0\0a\x85R.",
    "torch_hub": b"ctorch.hub\nload\n(X\x01\0\0\0a\x85R.",
    "numpy_load": b"cnumpy\nload\n(X\x01\0\0\0a\x85R.",
    "hidden_by_name": b"ccollections\nOrderedDict.__init__\n.",
    "extension": b"\x82\x01.",
    "no_end": b"}q\0",
    "unknown_opcode": b"\xfe\xfe.",
    "empty_stack": b"R.",
    "huge_text": b"X\xff\xff\xff\x7fabc.",
    "deep": b"(" * 200_000 + b"t" * 200_000 + b".",
    "huge_memo": b"}r\xff\xff\xff\x7f.",
}


def cut_checkpoints() -> Dict[str, bytes]:
    """Whole checkpoints of both forms, cut at many lengths."""
    found = {}
    for legacy in (False, True):
        stream = io.BytesIO()
        torch.save(GOOD, stream, _use_new_zipfile_serialization=not legacy)
        whole = stream.getvalue()
        name = "legacy" if legacy else "zip"
        cuts = sorted({4, 16, 40, *(len(whole) * part // 12 for part in range(1, 12))})
        found.update({f"{name}_cut_at_{cut}": whole[:cut] for cut in cuts})
    return found


def pickled(data: bytes) -> bytes:
    """A checkpoint archive around a pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + data)
        archive.writestr("archive/version", "3\n")
    return stream.getvalue()


def hostile_checkpoint_files(folder: Path) -> Iterator[Path]:
    """Everything that is not ONNX, one file at a time; the code in it would create ``was-run``."""
    for write in HOSTILE:
        if write not in (*PROGRAMS, missing):
            path = folder / write.__name__
            write(path)
            yield path
    marker = folder / "was-run"
    families = {
        "checkpoint": cut_checkpoints(),
        "pickle": {name: pickled(data) for name, data in _PICKLES.items()},
        "safetensors": hostile_safetensors(),
        "torchscript": hostile_torchscript(marker),
        "exported": hostile_exported(marker),
    }
    for family, files in families.items():
        for name, data in files.items():
            path = folder / f"{family}-{name}"
            path.write_bytes(data)
            yield path


def hostile_onnx_files(folder: Path) -> Iterator[Path]:
    """ONNX files that no reader may take, one at a time, some with other files beside them."""
    for name, write in hostile_models().items():
        path = folder / f"{name}.onnx"
        write(path)
        yield path
