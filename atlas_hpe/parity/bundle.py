"""Parity bundles: what a reference said of some inputs, in one file that goes to a board.

The format is described in docs/parity-bundle.md. Reading needs numpy alone.
"""

from __future__ import annotations

import json
import platform
import zipfile
from collections import deque
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import (
    Callable,
    Dict,
    Generator,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Type,
    Union,
)

import numpy as np

from atlas_hpe.card import ModelCard, card_from_json
from atlas_hpe.errors import CardError, UsageError
from atlas_hpe.hands import NUM_JOINTS
from atlas_hpe.outfile import AtomicFile, check_out_path
from atlas_hpe.parity.arrays import ArrayFile, damaged, write_array
from atlas_hpe.parity.sample import Answer, Sample
from atlas_hpe.version import __version__

__all__ = [
    "BUNDLE_SUFFIX",
    "BUNDLE_VERSION",
    "BundleFacts",
    "ParityBundle",
    "record_answers",
    "record_bundle",
]

BUNDLE_SUFFIX = ".npz"
#: Version of the format. A reader accepts exactly the versions it knows.
BUNDLE_VERSION = 1
_FORMAT = "atlas-hpe parity bundle"
_MANIFEST = "manifest"


@dataclass(frozen=True)
class BundleFacts:
    """Where the answers of a bundle come from.

    Attributes:
        reference: File name of the reference.
        reference_kind: What ran it, for example ``"PyTorch"``.
        reference_sha256: Hash of that file.
        model: File name of the model that was compared when the bundle was recorded.
        model_sha256: Hash of that file.
        source: What the samples are, in words.
        tools: Tool -> version, of what took part.
        card: Card by which the reference's joints were decoded, None for tensors only.
    """

    reference: str
    reference_kind: str
    reference_sha256: str
    model: str
    model_sha256: str
    source: str
    tools: Mapping[str, str] = field(default_factory=dict)
    card: Optional[ModelCard] = None


def record_bundle(
    path: Union[str, Path], answers: Iterable[Answer], facts: BundleFacts, *, force: bool = False
) -> None:
    """Write a bundle.

    Args:
        path: The .npz to write.
        answers: What the reference says, see ``ask``.
        facts: Where the answers come from.
        force: Replace a file that exists.

    Raises:
        OutputError: The file can't be written, or must not be.
        UsageError: There is no answer.
    """
    deque(record_answers(path, answers, facts, force=force), maxlen=0)


def record_answers(
    path: Union[str, Path], answers: Iterable[Answer], facts: BundleFacts, *, force: bool = False
) -> Generator[Answer, None, None]:
    """Pass answers on while they are written; the file appears after the last one.

    Close the iterator to give up: no file is left then.

    Raises:
        OutputError: The file can't be written, or must not be.
        UsageError: There is no answer.
    """
    path = check_out_path(path, [BUNDLE_SUFFIX], force=force)
    with ExitStack() as stack:
        file = stack.enter_context(AtomicFile(path, force=force))
        archive = stack.enter_context(
            zipfile.ZipFile(str(file.temporary), "w", zipfile.ZIP_DEFLATED)
        )
        samples: List[str] = []
        inputs: List[str] = []
        outputs: List[str] = []
        for answer in answers:
            if not samples:
                inputs, outputs = list(answer.sample.feeds), list(answer.outputs)
            _write_answer(archive, len(samples), answer, inputs, outputs)
            samples.append(answer.sample.name)
            yield answer
        if not samples:
            raise UsageError("there is nothing to record", fix="give at least one input")
        names = {"inputs": inputs, "outputs": outputs, "samples": samples}
        _write_manifest(archive, facts, names)


def _write_answer(
    archive: zipfile.ZipFile,
    number: int,
    answer: Answer,
    inputs: Iterable[str],
    outputs: Iterable[str],
) -> None:
    sample = answer.sample
    arrays: Dict[str, Optional[np.ndarray]] = {
        "crop": sample.crop,
        "to_source": sample.to_source,
        "joints": answer.joints,
    }
    arrays.update((f"feed_{i}", sample.feeds[name]) for i, name in enumerate(inputs))
    arrays.update((f"output_{i}", answer.outputs[name]) for i, name in enumerate(outputs))
    for part, array in arrays.items():
        if array is not None:
            write_array(archive, _entry(number, part), array)


def _write_manifest(
    archive: zipfile.ZipFile, facts: BundleFacts, names: Mapping[str, List[str]]
) -> None:
    here = {"atlas-hpe": __version__, "python": platform.python_version(), "numpy": np.__version__}
    manifest = {
        "format": _FORMAT,
        "version": BUNDLE_VERSION,
        **asdict(facts),
        "tools": {**here, **facts.tools},
        **names,
    }
    text = json.dumps(manifest, sort_keys=True, allow_nan=False)
    write_array(archive, _MANIFEST, np.frombuffer(text.encode("utf-8"), np.uint8))


def _entry(number: int, part: str) -> str:
    return f"sample_{number:04d}/{part}"


class ParityBundle:
    """A recorded bundle, opened; use it as a context manager.

    Args:
        path: The .npz.

    Attributes:
        facts: Where the answers come from.
        inputs: Names of the inputs.
        outputs: Names of the outputs.
        samples: Names of the samples.

    Raises:
        InputError: The file is not a bundle, is damaged, or has a version that this release does
            not read.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        self.path = Path(path)
        with ExitStack() as stack:
            self._file = stack.enter_context(ArrayFile(self.path))
            manifest = _read_manifest(self._file)
            self.facts = _read_facts(manifest, self.path)
            self.inputs = _texts(manifest, "inputs", self.path)
            self.outputs = _texts(manifest, "outputs", self.path)
            self.samples = _texts(manifest, "samples", self.path)
            self._resources = stack.pop_all()

    def __enter__(self) -> ParityBundle:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._resources.close()

    def answers(self) -> Iterator[Answer]:
        """The samples with what the reference said, one at a time.

        Raises:
            InputError: An array is missing, damaged, or not what its place asks for.
        """
        for number, name in enumerate(self.samples):
            feeds = {key: self._read(number, f"feed_{i}") for i, key in enumerate(self.inputs)}
            outputs = {key: self._read(number, f"output_{i}") for i, key in enumerate(self.outputs)}
            crop = self._optional(number, "crop", _is_picture)
            to_source = self._optional(number, "to_source", _is_affine)
            joints = self._optional(number, "joints", _is_joints)
            yield Answer(Sample(name, feeds, crop=crop, to_source=to_source), outputs, joints)

    def _read(self, number: int, part: str) -> np.ndarray:
        return self._file.read(_entry(number, part))

    def _optional(
        self, number: int, part: str, fits: Callable[[np.ndarray], bool]
    ) -> Optional[np.ndarray]:
        name = _entry(number, part)
        if name not in self._file:
            return None
        array = self._file.read(name)
        if not fits(array):
            found = f"{array.dtype} {list(array.shape)}"
            raise damaged(self.path, f"the array '{name}' has no such values: {found}")
        return array


def _is_picture(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3 and array.size > 0


def _is_affine(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and array.shape == (2, 3) and bool(np.isfinite(array).all())


def _is_joints(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and array.shape == (NUM_JOINTS, 2)


def _read_manifest(file: ArrayFile) -> Dict[str, object]:
    try:
        document = json.loads(bytes(file.read(_MANIFEST)).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(file.path, f"its manifest is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise damaged(file.path, "it is not a parity bundle")
    version = document.get("version")
    if version != BUNDLE_VERSION or isinstance(version, bool):
        why = f"it has version {version!r}, this release reads {BUNDLE_VERSION}"
        raise damaged(file.path, why[:200])
    return document


def _read_facts(manifest: Mapping[str, object], path: Path) -> BundleFacts:
    tools, card = manifest.get("tools"), manifest.get("card")
    if not isinstance(tools, dict) or not all(isinstance(item, str) for item in tools.values()):
        raise damaged(path, "'tools' in its manifest is not an object of strings")
    try:
        known_card = None if card is None else card_from_json(json.dumps(card), str(path))
    except (CardError, RecursionError) as error:
        raise damaged(path, f"its card is not one: {error}") from error
    return BundleFacts(
        reference=_text(manifest, "reference", path),
        reference_kind=_text(manifest, "reference_kind", path),
        reference_sha256=_text(manifest, "reference_sha256", path),
        model=_text(manifest, "model", path),
        model_sha256=_text(manifest, "model_sha256", path),
        source=_text(manifest, "source", path),
        tools=tools,
        card=known_card,
    )


def _text(manifest: Mapping[str, object], key: str, path: Path) -> str:
    value = manifest.get(key)
    if not isinstance(value, str):
        raise damaged(path, f"'{key}' in its manifest is not a string")
    return value


def _texts(manifest: Mapping[str, object], key: str, path: Path) -> Tuple[str, ...]:
    value = manifest.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise damaged(path, f"'{key}' in its manifest is not a list of strings")
    return tuple(value)
