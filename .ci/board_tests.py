"""Test the wheel as a board would have it: CPython 3.7, 3.8 and 3.9, no torch, no onnx.

For each of these interpreters that the machine has, an environment ``.venv-board-X.Y`` gets this
project as a built wheel, with its dependencies as binary wheels, and runs the tests of the parts
that a board needs. An interpreter that is not there is named in the output.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VERSIONS = ("3.7", "3.8", "3.9")
# convert needs neither torch nor onnx: it also runs on a board, and beside an old atc.
TESTS = ("core", "runtime", "pipelines", "cli", "export/test_convert_*.py")
ROOT = Path(__file__).resolve().parent.parent

# The tests must meet the installed wheel, not the sources, and neither torch nor onnx.
_PROBE = """
import importlib.util, sys
for name in ("torch", "onnx"):
    if importlib.util.find_spec(name):
        sys.exit(name + " is installed: this is not a board")
for name in ("atlas_hpe", "atlas_hpe_export", "atlas_hpe_pipelines", "atlas_hpe_runtime"):
    spec = importlib.util.find_spec(name)
    if spec is None or "site-packages" not in str(spec.origin):
        sys.exit(name + " does not come from the wheel")
"""


def find_interpreters(version: str) -> list[Path]:
    """Candidates for ``pythonX.Y``: on the PATH, then in the versions folder of pyenv."""
    on_path = shutil.which(f"python{version}")
    found = [Path(on_path)] if on_path else []
    roots = [os.environ.get("PYENV_ROOT"), "~/.pyenv"]
    pyenv = shutil.which("pyenv")
    if pyenv:
        answer = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False)
        roots.insert(0, answer.stdout.strip())
    for root in filter(None, roots):
        versions = Path(root).expanduser() / "versions"
        found += sorted(versions.glob(f"{version}.*/bin/python"), reverse=True)
    return found


def find_python(version: str) -> Path | None:
    """The first candidate that starts and is a CPython of that version.

    A pyenv shim stands on the PATH for versions that are not switched on, and then only fails.
    """
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    for python in find_interpreters(version):
        answer = subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0 and answer.stdout.split() == ["cpython", version]:
            return python
    return None


def make_environment(python: Path, folder: Path) -> Path:
    """An environment with the wheel of the sources as they are now; its Python.

    The dependencies are installed once per state of pyproject.toml, the wheel every time.
    """
    stamp = folder / ".installed"
    state = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    inner = folder / "bin" / "python"
    pip = [str(inner), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    binary = [*pip, "--only-binary", ":all:"]
    if not stamp.exists() or stamp.read_text() != state:
        subprocess.run([str(python), "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([*binary, f"{ROOT}[host,test]"], check=True)
        stamp.write_text(state)
    else:
        subprocess.run([*binary, "--no-deps", "--force-reinstall", str(ROOT)], check=True)
    return inner


def run_tests(python: Path) -> bool:
    """Run the board's tests away from the sources; True when all passed."""
    tests = [str(path) for name in TESTS for path in sorted((ROOT / "tests").glob(name))]
    # Not `python -m pytest`, which would put the working folder on the import path.
    pytest = [str(python.with_name("pytest")), "-p", "no:cacheprovider"]
    options = ["-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # The command line is started by name in some tests.
    environment["PATH"] = os.pathsep.join([str(python.parent), environment.get("PATH", "")])
    with tempfile.TemporaryDirectory(prefix="atlas-hpe-board-") as scratch:
        subprocess.run([str(python), "-c", _PROBE], cwd=scratch, check=True)
        done = subprocess.run(
            [*pytest, *options, *tests], cwd=scratch, env=environment, check=False
        )
    return done.returncode == 0


def main() -> int:
    """Exit code 0 when every interpreter that is there passed."""
    missing, failed, passed = [], [], []
    for version in VERSIONS:
        python = find_python(version)
        if python is None:
            missing.append(version)
            continue
        start_s = time.monotonic()
        print(f"== board tests on CPython {version}: {python}", flush=True)
        try:
            inner = make_environment(python, ROOT / f".venv-board-{version}")
            good = run_tests(inner)
        except subprocess.CalledProcessError as error:
            print(f"failed: {error}", flush=True)
            good = False
        (passed if good else failed).append(version)
        print(f"== CPython {version}: {time.monotonic() - start_s:.0f} s", flush=True)
    for label, versions in (("passed", passed), ("FAILED", failed), ("NOT TESTED", missing)):
        if versions:
            reason = ", no such CPython on this machine" if versions is missing else ""
            print(f"board tests {label}: {', '.join(versions)}{reason}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
