"""The one error tree: every failure a user can meet says what, where, why and the fix."""

from __future__ import annotations

from typing import ClassVar, Optional

__all__ = [
    "AtlasHpeError",
    "CardError",
    "CheckFailedError",
    "CheckpointError",
    "DeviceError",
    "InputError",
    "MissingExtraError",
    "ModelFileError",
    "OutputError",
    "SessionError",
    "SourceError",
    "UsageError",
]


class AtlasHpeError(Exception):
    """Base of all errors raised on purpose by this project.

    Args:
        what: What happened, one sentence without a final full stop.
        where: The file, tensor, option or node concerned.
        why: The cause, when it is known.
        fix: What the reader can do about it, as an instruction or a command.
    """

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        what: str,
        *,
        where: Optional[object] = None,
        why: Optional[str] = None,
        fix: Optional[str] = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        """The message as the command line shows it, a line per part."""
        lines = [self.what]
        lines += [
            f"  {label}: {text}"
            for label, text in (("where", self.where), ("why", self.why), ("fix", self.fix))
            if text
        ]
        return "\n".join(lines)


class UsageError(AtlasHpeError):
    """Options that contradict each other or have an impossible value."""


class InputError(AtlasHpeError):
    """A file given by the user can't be used."""


class CheckpointError(InputError):
    """A checkpoint is damaged, unsafe, or belongs to another network."""


class ModelFileError(InputError):
    """An ONNX or .om file is damaged, unsafe, or not of the expected form."""


class CardError(InputError):
    """A model card is missing or does not follow its schema."""


class SourceError(InputError):
    """A video, image or camera can't be opened or holds no frame."""


class OutputError(AtlasHpeError):
    """An output file can't be written, or must not be."""


class CheckFailedError(AtlasHpeError):
    """A check that the user asked for came out negative."""

    exit_code = 1


class MissingExtraError(AtlasHpeError):
    """A library that an optional extra brings is not installed."""

    exit_code = 3

    @classmethod
    def for_module(cls, module: str, extra: str, purpose: str) -> MissingExtraError:
        """The error for a failed import.

        Args:
            module: The module that could not be imported.
            extra: The extra of this distribution that brings it.
            purpose: What needs it, for example "running an ONNX model".
        """
        return cls(
            f"{purpose} needs the Python package '{module}', which is not installed",
            fix=f"pip install 'atlas-hpe[{extra}]'",
        )


class DeviceError(AtlasHpeError):
    """The device or its toolchain refused a request."""

    exit_code = 4


class SessionError(DeviceError):
    """A session was used wrongly: closed, wrong input name, shape or dtype."""
