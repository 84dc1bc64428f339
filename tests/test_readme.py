"""Runs the commands of the README and looks at the files that they leave.

How the README is written, so that this works:

- Commands stand in ```` ```console ```` blocks, on lines that begin with ``$ ``; a backslash at the
  end continues a command. Other lines of the block show output and are not compared.
  A ```` ```python ```` block is run as a script.
- A comment after a block says which files it leaves, and, if it is not 0, how its last command
  exits: ``<!-- leaves: hands.gif, hands.jsonl -->``, ``<!-- leaves: nothing, exits: 1 -->``.
  The files are named exactly; a block without the comment leaves nothing.
- Each block starts in an empty folder. With ``continues`` in its comment
  (``<!-- continues, leaves: model.om -->``) it goes on in the folder of the block before it.
- Names of files that a reader would have (``PLACEHOLDERS``) stand for real ones, which are put into
  the folder when a command names them.
- What can't run inside a test is listed in ``ELSEWHERE``, with who runs it instead. Only such
  commands may stand in an indented block, with a comment behind a ``#``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Set, Tuple

import pytest

REPO = Path(__file__).resolve().parent.parent
README = REPO / "README.md"
INDENTED = re.compile(
    r"^ {4}((?:atlas-hpe|cd|git|make|pip|python3?|\.ci/run)\b.*?)\s*(?:#.*)?$", re.M
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$\n*(?:<!--(.*?)-->)?", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.readme


def _copy(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(str(path), str(target))
    else:
        shutil.copyfile(str(path), str(target))


def _cut(path: Path, target: Path) -> None:
    """The first two seconds of a clip, so that the whole README takes little time."""
    import imageio_ffmpeg

    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    command = [ffmpeg, "-v", "error", "-i", str(path), "-t", "2", "-an", str(target)]
    subprocess.run(command, check=True)


#: Name in the README -> file or folder in the shared data, and how it gets into the folder.
PLACEHOLDERS: Dict[str, Tuple[str, Callable[[Path, Path], None]]] = {
    "video.mp4": ("videos/palm_offer_blur_bg.mp4", _cut),
    "path.mp4": ("videos/palm_offer_blur_bg.mp4", _cut),
    "model.pt": ("checkpoints/shallow_unet_model_final", _copy),
    "checkpoint.pt": ("checkpoints/shallow_unet_model_final", _copy),
    "shallow_unet.pt": ("checkpoints/shallow_unet_model_final", _copy),
    "hand.jpg": ("annotated/images/handposex_2021-02-01_13-52-49_284.jpg", _copy),
    "photos": ("annotated/images", _copy),
    "annotated": ("annotated", _copy),
}

#: Command -> why it is not run here.
ELSEWHERE = (
    (re.compile(r"git clone \S+( \S+)?$"), "the clone is what we are in"),
    (re.compile(r"cd atlas-hpe$"), "the clone is what we are in"),
    (re.compile(r"make( [\w=./\"-]+)*$"), ".ci/run runs it, see the test below"),
    (re.compile(r"\.ci/run$"), "it runs this test"),
    (re.compile(r"atlas-hpe train "), "takes hours; tests/learn trains a tiny one, see below"),
    (re.compile(r"atlas-hpe serve "), "runs until it is stopped; tests/browser watches it"),
    (re.compile(r"(python3? -m )?pip install "), "make and .ci/run install; see the test below"),
)


@dataclass(frozen=True)
class Block:
    """A fenced block of the README.

    Attributes:
        line: Line of the fence, from 1.
        language: Word after the fence.
        commands: Commands of a console block, or the one that runs a Python block.
        script: Text of a Python block.
        leaves: Names of the files it leaves.
        exits: Exit code of its last command.
        continues: It goes on in the folder of the block before it.
    """

    line: int
    language: str
    commands: Tuple[str, ...]
    script: str
    leaves: Tuple[str, ...]
    exits: int
    continues: bool

    @property
    def to_run(self) -> Tuple[str, ...]:
        return tuple(command for command in self.commands if elsewhere(command) is None)


def elsewhere(command: str) -> Optional[str]:
    """Why a command is not run here; None when it is."""
    return next((why for pattern, why in ELSEWHERE if pattern.match(command)), None)


def read_note(note: str) -> Tuple[Tuple[str, ...], int, bool]:
    """Files, exit code and continuation from the comment after a block."""
    exits = re.search(r"\bexits:\s*(\d+)", note)
    leaves = re.search(r"\bleaves:\s*(.*?)(?=,\s*(?:exits|continues)\b|$)", note.strip(), re.DOTALL)
    names = leaves.group(1).split(",") if leaves else []
    files = [name.strip() for name in names]
    return (
        tuple(name for name in files if name not in ("", "nothing")),
        int(exits.group(1)) if exits else 0,
        "continues" in note,
    )


def read_blocks(text: str) -> List[Block]:
    blocks = []
    for match in FENCE.finditer(text):
        language, body, note = match.groups()
        script, commands = "", []
        if language == "console":
            joined = body.replace("\\\n", " ")
            commands = [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]
        elif language == "python":
            script, commands = body, ["python snippet.py"]
        line = text.count("\n", 0, match.start()) + 1
        blocks.append(Block(line, language, tuple(commands), script, *read_note(note or "")))
    return blocks


TEXT = README.read_text(encoding="utf-8")
BLOCKS = read_blocks(TEXT)
COMMANDS = [
    *(command for block in BLOCKS for command in block.commands),
    *INDENTED.findall(FENCE.sub("", TEXT)),
]


def test_no_command_escapes_this_test() -> None:
    assert any(block.to_run for block in BLOCKS)
    assert {block.language for block in BLOCKS} <= {"console", "python", "text", "json"}
    for block in BLOCKS:
        if block.language == "console":
            assert block.commands, f"README.md:{block.line}: no line begins with '$ '"
    for command in INDENTED.findall(FENCE.sub("", TEXT)):
        assert elsewhere(command), f"goes into a console block, to be run: {command}"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """Give the folder to run in: a new one, or the one given last."""
    given: List[Path] = []

    def give(again: bool) -> Path:
        if not (again and given):
            given.append(tmp_path_factory.mktemp("readme"))
        return given[-1]

    return give


def files_in(folder: Path) -> Set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def put_placeholders(block: Block, folder: Path, shared_data: Path) -> None:
    words = set(re.findall(r"[\w.-]+", " ".join((*block.to_run, block.script))))
    for name in words & set(PLACEHOLDERS):
        source, put = PLACEHOLDERS[name]
        if not (folder / name).exists():
            put(shared_data / source, folder / name)


def run_command(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    scripts = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([scripts, os.environ.get("PATH", "")])}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=str(folder),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.to_run], ids=lambda block: f"README.md:{block.line}"
)
def test_the_commands_work_and_leave_the_files_that_are_named(
    block: Block, folders: Callable[[bool], Path], shared_data: Path
) -> None:
    if not Path(sys.executable).with_name("atlas-hpe").exists() and not os.environ.get("CI"):
        pytest.skip("needs the command installed: make test")
    folder = folders(block.continues)
    put_placeholders(block, folder, shared_data)
    if block.script:
        (folder / "snippet.py").write_text(block.script, encoding="utf-8")
    before = files_in(folder)
    for command in block.to_run:
        done = run_command(command, folder)
        expected = block.exits if command == block.to_run[-1] else 0
        assert done.returncode == expected, f"$ {command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
    assert files_in(folder) - before == set(block.leaves)
    for name in block.leaves:
        assert (folder / name).stat().st_size > 0, f"{name} is empty"


def test_make_targets_of_the_readme_are_run_in_ci() -> None:
    script = (REPO / ".ci" / "run").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", (REPO / "Makefile").read_text("utf-8"), re.MULTILINE))
    for command in COMMANDS:
        words = command.split()
        if words[0] == "make":
            plain = [word.split("=")[0] for word in words]
            assert {word for word in plain[1:] if word.islower()} <= targets, command
            pattern = "^step " + r"(=\S+)? ".join(map(re.escape, plain)) + r"(=\S+)?$"
            assert re.search(pattern, script, re.MULTILINE), f".ci/run never runs: {command}"


def test_extras_of_the_readme_exist() -> None:
    project = (REPO / "pyproject.toml").read_text(encoding="utf-8")
    section = project.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", section, re.MULTILINE))
    for command in COMMANDS:
        for names in re.findall(r"pip install.*\[([\w, ]+)\]", command):
            assert {name.strip() for name in names.split(",")} <= extras, command


def test_training_commands_of_the_readme_have_the_options_they_name() -> None:
    from click.testing import CliRunner

    from atlas_hpe.cli import cli

    for command in COMMANDS:
        words = command.split()
        if words[:2] == ["atlas-hpe", "train"]:
            shown = CliRunner().invoke(cli, [*words[1:3], "--help"])
            assert shown.exit_code == 0, shown.output
            assert {w for w in words if w.startswith("--")} <= set(shown.output.split()), command


EXAMPLE = """
```console
$ git clone URL
$ make demo VIDEO=path.mp4
```

```console
$ atlas-hpe export model.pt \\
      --out model.onnx
written: model.onnx
$ atlas-hpe inspect model.onnx
```

<!-- leaves: model.onnx,
     a/b.json, exits: 1 -->

```python
print(1)
```
<!-- continues, leaves: nothing -->
"""


def test_the_convention_is_read_as_the_docstring_says() -> None:
    first, second, third = read_blocks(EXAMPLE)
    assert first.line == 2
    assert first.commands == ("git clone URL", "make demo VIDEO=path.mp4")
    assert first.to_run == ()
    assert first.leaves == ()
    assert [" ".join(command.split()) for command in second.to_run] == [
        "atlas-hpe export model.pt --out model.onnx",
        "atlas-hpe inspect model.onnx",
    ]
    assert (second.leaves, second.exits, second.continues) == (("model.onnx", "a/b.json"), 1, False)
    assert third.script == "print(1)\n"
    assert (third.leaves, third.exits, third.continues) == ((), 0, True)
    indented = "    make demo   # a picture\n    pip install 'atlas-hpe[host]'\n    a --> b\n"
    assert INDENTED.findall(indented) == ["make demo", "pip install 'atlas-hpe[host]'"]
