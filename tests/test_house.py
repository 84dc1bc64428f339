"""The rules of the house, held over every file: names, sizes, imports, paths, and the wheel."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Iterator, List, Set

import pytest

REPO = Path(__file__).resolve().parent.parent
PACKAGES = {
    "atlas_hpe": REPO / "atlas_hpe",
    "atlas_hpe_export": REPO / "export" / "atlas_hpe_export",
    "atlas_hpe_runtime": REPO / "runtime" / "atlas_hpe_runtime",
    "atlas_hpe_pipelines": REPO / "pipelines" / "atlas_hpe_pipelines",
}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50  # without the docstring

pytestmark = pytest.mark.skipif(
    not (REPO / ".git").exists(), reason="needs the repository that the rules are about"
)


def repository_files() -> List[Path]:
    """Files that are tracked, or would be if they were added."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        check=True,
    )
    names = [os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]
    return sorted({REPO / name for name in names if (REPO / name).is_file()})


def source_files() -> List[Path]:
    """The Python files of the four packages."""
    folders = tuple(PACKAGES.values())
    return [
        path
        for path in repository_files()
        if path.suffix == ".py" and any(folder in path.parents for folder in folders)
    ]


def module_name(path: Path) -> str:
    root = next(folder for folder in PACKAGES.values() if folder in path.parents).parent
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def public_modules() -> List[str]:
    """Modules that others may import: no part of their name starts with an underscore."""
    names = [module_name(path) for path in source_files()]
    return [name for name in names if not any(part.startswith("_") for part in name.split("."))]


@pytest.mark.parametrize("name", public_modules())
def test_a_module_says_what_is_public(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    public = getattr(module, "__all__", None)
    assert public is not None, f"{name} has no __all__"
    assert len(public) == len(set(public)), f"{name}.__all__ repeats a name"
    for item in public:
        value = getattr(module, item)  # an AttributeError names it
        if inspect.isclass(value) or inspect.isroutine(value):
            assert inspect.getdoc(value), f"{name}.{item} has no docstring"


@pytest.mark.parametrize("name", public_modules())
def test_all_public_definitions_of_a_module_are_listed(name: str) -> None:
    module = importlib.import_module(name)
    tree = ast.parse(inspect.getsource(module))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    defined = {node.name for node in tree.body if isinstance(node, kinds)}
    public = {item for item in defined if not item.startswith("_")}
    assert public <= set(getattr(module, "__all__", ())), f"missing from {name}.__all__"


def relative(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def test_python_files_are_short() -> None:
    lengths = {
        relative(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in repository_files()
        if path.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines >= MAX_FILE_LINES} == {}


def long_functions(path: Path) -> Iterator[str]:
    """Functions that are too long, as ``file:line name (lines)``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                text = node.body[0]
                lines -= text.end_lineno - text.lineno + 1
            if lines >= MAX_FUNCTION_LINES:
                yield f"{relative(path)}:{node.lineno} {node.name} ({lines})"


def test_functions_are_short() -> None:
    assert [found for path in source_files() for found in long_functions(path)] == []


def test_sources_parse_on_the_boards_python() -> None:
    for path in source_files():
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 7))


# Folders of somebody's machine, and hosts that packages come from. Written in pieces, because
# this file is looked at as well.
FOREIGN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "tm" + "p"]) + r")/",
            r"/ho" + r"me/\w",
            r"/Us" + r"ers/\w",
            "py" + r"pi\.org",
            "python" + "hosted",
        ]
    )
)


def test_no_file_names_a_machine() -> None:
    found = []
    for path in repository_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            lines = path.read_bytes().decode("latin-1").splitlines()
        for number, line in enumerate(lines, 1):
            match = FOREIGN.search(line)
            if match:
                found.append(f"{relative(path)}:{number} {match.group()}")
    assert found == []


def test_no_file_holds_a_placeholder_that_was_never_filled() -> None:
    found = []
    for path in repository_files():
        if REPO / "tests" in path.parents:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{relative(path)}:{number} {match}"
            for number, line in enumerate(lines, 1)
            for match in re.findall(r"@[A-Z]{4,}@", line)
        ]
    assert found == []


def test_who_may_import_whom() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    if not tool.exists():
        pytest.skip("import-linter is not installed here; `make lint` runs it")
    command = [str(tool), "--no-cache"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_source_root_holds_one_package_and_says_what_may_be_imported() -> None:
    for name, folder in PACKAGES.items():
        if folder.parent == REPO:
            continue
        readme = (folder.parent / "README.md").read_text(encoding="utf-8")
        assert "May import" in readme
        assert len(readme.splitlines()) <= 20
        assert not (folder.parent / "__init__.py").exists()
        packages = [path.parent.name for path in folder.parent.glob("*/__init__.py")]
        assert packages == [name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="builds the wheel; comes with the extra 'dev'")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.iterdir()
    return built


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert wheel.name.endswith("-py3-none-any.whl")
    expected: Set[str] = set()
    for name, folder in PACKAGES.items():
        expected |= {
            f"{name}/{path.relative_to(folder).as_posix()}"
            for path in repository_files()
            if folder in path.parents
        }
    info = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - info == expected
    assert "atlas_hpe/card/card.schema.json" in names
    assert {"METADATA", "RECORD", "WHEEL", "entry_points.txt"} <= {Path(n).name for n in info}
    assert any(Path(name).name == "LICENSE" for name in info)


def test_the_wheel_brings_the_default_model(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        models = [name for name in archive.namelist() if name.endswith(".onnx")]
    assert models
    assert all(name.startswith("atlas_hpe/models/") for name in models)
