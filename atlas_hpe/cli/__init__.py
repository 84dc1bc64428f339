"""The command line: one small file per verb, loaded only when that verb is typed."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Dict, List, NoReturn, Optional

import click

from atlas_hpe.errors import AtlasHpeError
from atlas_hpe.version import __version__

__all__ = ["COMMANDS", "cli", "main"]

#: Verb -> what it does. The file ``cli/<verb>.py`` holds its click command, named ``command``.
COMMANDS: Dict[str, str] = {
    "export": "PyTorch checkpoint -> ONNX that the board's compiler takes, checked.",
    "convert": "ONNX -> .om, the board's own format, by the toolkit's compiler.",
    "run": "Video, pictures, camera or stream -> hand poses -> GIF, video or data.",
    "serve": "The same on a web page: for a board without a screen.",
    "parity": "Does the exported model still say what PyTorch said?",
    "check": "Will the board's compiler take this ONNX file?",
    "inspect": "What is inside a model file.",
    "bench": "How fast a model runs here, step by step.",
    "simulate": "Run a pyACL program without a board.",
    "models": "The networks of this toolkit and the models that ship with it.",
    "doctor": "What this machine has, what is missing, and the command that adds it.",
    "evaluate": "How far a model's joints are from labels: NME, PCK, detection rate.",
    "train": "Train the networks of the default model.",
}

INTERRUPTED = 130
REFUSED = 4
_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
_STOP_RETRY_S = 0.02
_STOP_RETRIES = 500


class _LazyGroup(click.Group):
    """Lists its commands from a table, so that ``--help`` loads none of them."""

    def list_commands(self, ctx: click.Context) -> List[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Optional[click.Command]:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"atlas_hpe.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"atlas_hpe.cli.{cmd_name}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="atlas-hpe")
def cli() -> None:
    """Take a PyTorch hand-pose network to an Ascend board, and prove that it says the same."""


def main() -> NoReturn:
    """Entry point of ``atlas-hpe``: exit codes 0, 1, 2, 3, 4 and 130 as the README lists them."""
    stops = _stop_once()
    try:
        code = cli.main(standalone_mode=False)
    except AtlasHpeError as error:
        # A library that is interrupted while it loads calls that a failure of its own.
        if stops:
            _leave_interrupted()
        _leave(f"error: {error}", error.exit_code)
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _leave_interrupted()
    except OSError as error:
        _leave(f"error: the system refused: {error}", REFUSED)
    except SystemExit:
        # Only click leaves so, with 1, when the reader of a pipe went away. No check failed.
        sys.exit(REFUSED)
    _ignore_stops()
    sys.exit(code if isinstance(code, int) else 0)


def _ignore_stops() -> None:
    """The work is done and its outcome decided: while Python shuts down a stop changes nothing.

    Python gives up its own handlers on the way out, and a stop would kill it with another code.
    """
    for number in _stop_signals():
        signal.signal(number, signal.SIG_IGN)


def _stop_signals() -> List[int]:
    """Ctrl-C, a service manager's stop and a closed terminal, but for those switched off."""
    found = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    return [
        number
        for number in found
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN
    ]


def _stop_once() -> List[int]:
    """Let Ctrl-C, a service manager's stop and a closed terminal all end the program alike.

    Only the first one counts: the others would interrupt the cleaning up. One that comes while a
    module loads is sent again until it has: libraries turn an interruption of their import into
    failures of their own, or swallow it. A signal that the caller has switched off, as ``nohup``
    does, stays off.

    Returns:
        The signals that have come.
    """
    stops: List[int] = []
    retries = [_STOP_RETRIES]

    def stop(number: int, frame: Optional[FrameType]) -> None:
        if stops:
            return
        if retries[0] and _is_importing(frame):
            retries[0] -= 1
            again = threading.Timer(_STOP_RETRY_S, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            return
        stops.append(number)
        raise KeyboardInterrupt

    for number in _stop_signals():
        signal.signal(number, stop)
    return stops


def _is_importing(frame: Optional[FrameType]) -> bool:
    while frame is not None and frame.f_code.co_filename != _IMPORT_SYSTEM:
        frame = frame.f_back
    return frame is not None


def _leave_interrupted() -> NoReturn:
    _leave("interrupted: unfinished output files were removed", INTERRUPTED)


def _leave(message: str, code: int) -> NoReturn:
    _ignore_stops()
    with suppress(OSError):  # where nobody can be told, the exit code still tells
        click.echo(message, err=True)
    sys.exit(code)
