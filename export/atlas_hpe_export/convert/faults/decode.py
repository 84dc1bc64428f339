"""What a failed run of atc means: its log as causes, nodes, PyTorch modules and fixes.

What the messages mean is in ``table``. Their form was seen in reports of users: a line
``E19010: text``, then lines of the same kind without the code, each with an origin at its end,
``[FUNC:..][FILE:..][LINE:..]``.
"""

from __future__ import annotations

import re
import shlex
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, Iterable, Iterator, Mapping, Optional, Sequence, Set, TextIO, Tuple

from atlas_hpe.errors import DeviceError
from atlas_hpe_export.convert.faults.node import find_node
from atlas_hpe_export.convert.faults.table import CODES, CONTINUED, MESSAGES, OUT_OF_MEMORY, Advice
from atlas_hpe_export.node_names import OPERATORS, find_module_of, read_node_modules

__all__ = ["AtcFault", "decode_log", "decode_log_file", "fault_error"]

_MAX_FAULTS = 50
_MAX_LINE = 4096  # characters; the rest of a longer line is left out
_BLOCK = 1 << 16  # characters that are searched at once: most of them say nothing
_MAX_SHOWN = 300
_MAX_LISTED = 5
_SUCCESS = "ATC run success"
_FAILURE = "ATC run failed"
# The last two are our own: the header of the log, and the end of convert.sh.
_FIXED_LINES = ("ATC start working now", _FAILURE, _SUCCESS, "# ", "error: atc failed with exit")
_CODE = re.compile(r"E[0-9A-Z][0-9]{4}(?=[:\s(\[]|$)")
_ORIGIN = re.compile(r"\[FUNC:.{0,300}$")
_OPERATOR = re.compile(r"([\w.]{1,100})::([0-9]{1,9})::(\w{1,100})")
_TELLING = tuple(
    [parts[0].strip() for parts, _ in MESSAGES] + [start.lower() for start, _, _ in CONTINUED]
)

_Found = Tuple[Optional[str], Advice, str]  # code, meaning, line


@dataclass(frozen=True)
class AtcFault:
    """One thing that atc, or the system around it, complained about.

    Attributes:
        code: E or EZ code, None for a message without one.
        what: What happened, one sentence without a final full stop.
        node: Name of the ONNX node, None when the message names none of the file.
        module: PyTorch module of the node, ``""`` for the outermost one, None when unknown.
        cause: Why, None when the line itself is all that is known.
        fix: What to do about it, None when it is not known.
        command: Command to type, None when there is none.
        line: The line of the log, as it stands there; ``""`` when only the exit status tells.
    """

    code: Optional[str]
    what: str
    node: Optional[str]
    module: Optional[str]
    cause: Optional[str]
    fix: Optional[str]
    command: Optional[str]
    line: str


def decode_log(text: str, onnx: Path, *, status: Optional[int] = None) -> Tuple[AtcFault, ...]:
    """The faults in a log, each once, the first cause first; an unknown code is taken as it stands.

    A sign that memory ran out comes first, and a message that only says where atc noticed a failure
    after those that say more. When nothing is recognised, the last line is given.

    Args:
        text: What atc printed.
        onnx: The model that was compiled; the messages are searched for names of its nodes.
        status: Exit status of the process, negative for a signal; None when it is not known.
    """
    return _decode(_blocks_of(text), onnx, status)


def decode_log_file(log: Path, onnx: Path, *, status: Optional[int] = None) -> Tuple[AtcFault, ...]:
    """As ``decode_log`` for a log on disk, read in pieces; one that can't be read is empty."""
    try:
        with log.open(encoding="utf-8", errors="replace") as stream:
            return _decode(_blocks_in(stream), onnx, status)
    except OSError:
        return _decode((), onnx, status)


def _blocks_of(text: str) -> Iterator[str]:
    """Pieces of whole lines; of a line without an end, what fits."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _BLOCK, start + 2 * _BLOCK)
        end = start + 2 * _BLOCK if end < 0 else end
        yield text[start:end]
        start = end


def _blocks_in(stream: TextIO) -> Iterator[str]:
    block = stream.read(_BLOCK)
    while block:
        yield block + stream.readline(_BLOCK)
        block = stream.read(_BLOCK)


def fault_error(
    faults: Sequence[AtcFault], *, model: Path, log: Optional[Path] = None
) -> DeviceError:
    """The one error for the user: the first fault in full, the others as a list.

    Args:
        faults: As ``decode_log`` gives them; may be empty.
        model: The model that was compiled.
        log: Where the log was kept.
    """
    kept = [] if log is None else [f"the whole log is {log}"]
    if not faults:
        return DeviceError(
            "atc failed and did not say why", where=model, fix="; ".join(kept) or None
        )
    first = faults[0]
    reasons = [] if first.cause is None else [first.cause]
    said = _shorten(first.line)
    reasons += [f'atc said "{said}"'] if said and said != first.what else []
    more = [_in_one_line(fault) for fault in faults[1 : 1 + _MAX_LISTED]]
    rest = len(faults) - 1 - len(more)
    more += [f"and {rest} more"] if rest > 0 else []
    fixes = [part for part in (first.fix, first.command) if part]
    return DeviceError(
        "atc failed: " + _with_code(first),
        where=_place(first, model),
        why="\n       ".join(["; ".join(reasons), *(f"also: {line}" for line in more)]).strip(),
        fix="\n       ".join([": ".join(fixes), *kept]).strip(),
    )


def _place(fault: AtcFault, model: Path) -> str:
    if fault.node is None:
        return str(model)
    module = f" (PyTorch module {fault.module})" if fault.module else ""
    return f"node {fault.node}{module} of {model}"


def _with_code(fault: AtcFault) -> str:
    return fault.what if fault.code is None else f"{fault.code}, {fault.what}"


def _in_one_line(fault: AtcFault) -> str:
    return _with_code(fault) + ("" if fault.node is None else f", node {fault.node}")


def _decode(blocks: Iterable[str], onnx: Path, status: Optional[int]) -> Tuple[AtcFault, ...]:
    found: Dict[str, _Found] = {}
    last, done, told = "", False, False
    for block in blocks:
        done = done or _SUCCESS in block
        told = told or _FAILURE in block
        last = _last_line(block) or last
        if _is_telling(block) and len(found) < _MAX_FAULTS:
            _read_block(block, found)
    # A program that lives to say that it failed was not killed; its status means nothing.
    killed = None if told else _read_status(status)
    if killed is not None:
        found.setdefault(killed.what, (None, killed, ""))
    if not found and last and not done:
        found[last] = (None, _verbatim(last), last)
    modules = read_node_modules(onnx) if found else {}
    ranked = sorted(found.values(), key=lambda item: _rank(item[1]))
    faults = [_make_fault(*item, modules, onnx) for item in ranked]
    return tuple(_without_repeats(faults))[:_MAX_FAULTS]


def _rank(advice: Advice) -> int:
    """Without memory anything fails, in any words; an inner error says the least."""
    return 0 if advice == OUT_OF_MEMORY else 2 if advice.inner else 1


def _is_telling(block: str) -> bool:
    lowered = block.lower()
    return _CODE.search(block) is not None or any(part in lowered for part in _TELLING)


def _last_line(block: str) -> str:
    for line in reversed(block.splitlines()):
        text = line[:_MAX_LINE].strip()
        if text and not text.startswith(_FIXED_LINES):
            return text
    return ""


def _read_block(block: str, found: Dict[str, _Found]) -> None:
    for line in block.splitlines():
        text = line[:_MAX_LINE].strip()
        report = _read_report(text)
        if report is not None:
            found.setdefault(_shorten(text), (*report, text))
            continue
        advice = _read_message(text)
        if advice is not None:  # told once: the loader repeats it for every library
            found.setdefault(advice.what, (None, advice, text))


def _without_repeats(faults: Sequence[AtcFault]) -> Iterator[AtcFault]:
    """Two wordings of the same fault at the same node count once."""
    seen: Set[Tuple[Optional[str], str, str]] = set()
    for fault in faults:
        key = (fault.code, fault.what, fault.node or _shorten(fault.line))
        if key not in seen:
            seen.add(key)
            yield fault


def _read_report(text: str) -> Optional[Tuple[Optional[str], Advice]]:
    """Code, if it has one, and meaning of a line of atc's report; None when it is none."""
    for match in _CODE.finditer(text):
        if match.start() == 0 or text[match.start() - 1] in " \t]):":
            code = match.group()
            rest = text[match.end() :].lstrip(": ")
            return code, CODES.get(code) or _verbatim(rest or text)
    for start, continued, advice in CONTINUED:
        if start in text:
            return continued, advice
    return None


def _read_message(text: str) -> Optional[Advice]:
    """Meaning of a line that the system or a library wrote; None when it says nothing."""
    lowered = " " + text.lower()
    for parts, advice in MESSAGES:
        if all(part in lowered for part in parts):
            return advice
    return None


def _read_status(status: Optional[int]) -> Optional[Advice]:
    """What an exit status says: a signal, or what a shell or a container makes of one."""
    if status is None:
        return None
    number = -status if status < 0 else status - 128
    if number == signal.SIGKILL:
        return OUT_OF_MEMORY
    if status < 0 or number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
        return Advice(f"atc was ended by signal {number}", None, "look at the log", inner=True)
    return None


def _verbatim(text: str) -> Advice:
    return Advice(_shorten(text), None, "")


def _shorten(text: str) -> str:
    text = _ORIGIN.sub("", text).strip().rstrip(".")
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + " ..."


def _make_fault(
    code: Optional[str],
    advice: Advice,
    line: str,
    modules: Mapping[str, Optional[str]],
    onnx: Path,
) -> AtcFault:
    node = find_node(line, modules)
    fixed = onnx.parent / f"{onnx.stem}.fixed.onnx"
    command = advice.command
    if command is not None:
        command = command.format(model=shlex.quote(str(onnx)), fixed=shlex.quote(str(fixed)))
    fault = AtcFault(
        code=code,
        what=advice.what,
        node=node,
        module=None if node is None else modules.get(node, find_module_of(node)),
        cause=advice.cause,
        fix=advice.fix or None,
        command=command,
        line=line,
    )
    return _name_operator(fault) if code in ("E16002", "E19010") else fault


def _name_operator(fault: AtcFault) -> AtcFault:
    """Say which operator, and whether it is its opset or itself that atc does not know."""
    match = _OPERATOR.search(fault.line)
    if match is None:
        return fault
    domain, opset, name = match.groups()
    what = f"atc has no ONNX parser for {name} of opset {opset}"
    if domain != "ai.onnx" or name not in OPERATORS:
        return replace(
            fault,
            what=f"atc has no ONNX parser for {domain}::{name}",
            cause="it is no operator of ONNX itself, but one that its exporter added",
            fix="say it in operators of ONNX, or move it out of the network, and export again",
            command=None,
        )
    if int(opset) > 15:  # the newest of the sources of CANN 6.0
        cause = f"opset {opset} is too new: operators are looked up by the opset, without fallback"
        return replace(fault, what=what, cause=cause)
    return replace(fault, what=what, cause=f"this CANN does not register {name} for opset {opset}")
