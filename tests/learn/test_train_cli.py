from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, List

import pytest
import torch
from click.testing import CliRunner, Result
from learn_fakes import write_stick_set

from atlas_hpe.cli.train import command
from atlas_hpe.learn.checkpoints import load_training

QUICK = ["--drawn", "0", "--batch-size", "4", "--workers", "0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sticks")
    write_stick_set(folder)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("trained")
    assert _train(data, out, "--steps", "2", "--leave-out", "digits", *QUICK).exit_code == 0
    yield out


def _train(data: Path, out: Path, *words: str, network: str = "hand-landmark") -> Result:
    return CliRunner().invoke(command, [network, "--data", str(data), "--out", str(out), *words])


def _shell(data: Path, out: Path, *words: str, launch: List[str]) -> List[str]:
    place = ["--data", str(data), "--out", str(out)]
    return [sys.executable, "-m", *launch, "train", "hand-landmark", *place, *QUICK, *words]


def test_help_loads_neither_torch_nor_opencv() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from atlas_hpe.cli.train import command;"
        "result = CliRunner().invoke(command, ['hand-landmark', '--help']);"
        "heavy = {'torch', 'cv2', 'lightning_fabric'} & set(sys.modules);"
        "sys.exit(result.exit_code or bool(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("missing", ["torch", "lightning_fabric"])
def test_a_missing_library_is_one_line_with_the_command(missing: str, tmp_path: Path) -> None:
    code = f"import sys; sys.modules['{missing}'] = None; from atlas_hpe.cli import main; main()"
    words = ["train", "hand-landmark", "--data", str(tmp_path), "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "pip install 'atlas-hpe[train]'" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("network", ["hand-landmark", "hand-detector"])
def test_train_leaves_weights_and_names_the_next_command(
    data: Path, tmp_path: Path, network: str
) -> None:
    result = _train(data, tmp_path, "--epochs", "1", "--json", *QUICK, network=network)
    assert result.exit_code == 0, result.exception
    report = json.loads(result.stdout)
    assert Path(report["weights"]).is_file() and report["steps"] > 0
    assert f"--arch {network.replace('-', '_')}" in result.stderr


@pytest.mark.slow
def test_a_recipe_says_what_decides_the_weights_and_gives_them_again(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    recipe = json.loads((trained / "recipe.json").read_text())
    assert recipe["network"] == "hand_landmark" and recipe["plan"]["steps"] == 2
    assert recipe["plan"]["epochs"] is None and recipe["plan"]["minutes"] is None
    assert recipe["data"]["sources"] == ["sticks"] and recipe["data"]["left_out"] == ["digits"]
    assert set(recipe["data"]["sha256"]) == {"crops.json", "frames.json", "negatives.json"}
    assert {"steps", "seconds", "machine", "figures"} <= set(recipe["done"])
    again = _train(data, tmp_path, "--recipe", str(trained / "recipe.json"))
    assert again.exit_code == 0, again.exception
    first, second = (
        torch.load(folder / "hand_landmark.pt", weights_only=True) for folder in (trained, tmp_path)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "one end"),
        (["--steps", "1", "--minutes", "1"], "one end"),
        (["--epochs", "0"], "length"),
        (["--minutes", "nan"], "length"),
        (["--steps", "1", "--seed", "-1"], "seed"),
        (["--steps", "1", "--batch-size", "1"], "too small"),
        (["--steps", "1", "--workers", "-1"], "workers"),
        (["--steps", "1", "--drawn", "-1"], "hands"),
        (["--steps", "1", "--leave-out", "nowhere"], "no source 'nowhere'"),
        (["--recipe", "recipe.json", "--steps", "1"], "--steps and --recipe"),
        (["--recipe", "nowhere.json"], "recipe can't be read"),
        (["--steps", "1", "--resume"], "no training checkpoint"),
        (["--steps", "1", "--drawn", "0", "--start-from", "nowhere.pt"], "no weight file"),
    ],
)
def test_bad_options_are_refused(data: Path, tmp_path: Path, words: List[str], says: str) -> None:
    words = [*words, *([] if "--drawn" in words or "--recipe" in words else ["--drawn", "0"])]
    result = _train(data, tmp_path / "out", *words)
    assert getattr(result.exception, "exit_code", None) == 2
    assert says in str(result.exception)


def test_a_folder_with_a_run_is_not_overwritten_unasked(data: Path, tmp_path: Path) -> None:
    (tmp_path / "training.pt").write_bytes(b"")
    result = _train(data, tmp_path, "--steps", "1", *QUICK)
    assert "--resume" in str(result.exception) and "--force" in str(result.exception)


def test_a_recipe_of_another_network_or_of_other_data_is_refused(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    recipe = str(trained / "recipe.json")
    result = _train(data, tmp_path, "--recipe", recipe, network="hand-detector")
    assert "atlas-hpe train hand-landmark" in str(result.exception)
    write_stick_set(tmp_path, count=6)
    result = _train(tmp_path, tmp_path / "out", "--recipe", recipe)
    assert "not those of the recipe" in str(result.exception)
    assert "crops.json" in str(result.exception)


@pytest.mark.parametrize("member", ["steps", "seed", "precision", "peak_rate"])
def test_a_recipe_with_a_wrong_member_is_refused(
    data: Path, trained: Path, tmp_path: Path, member: str
) -> None:
    recipe = json.loads((trained / "recipe.json").read_text())
    recipe["plan"][member] = "many" if member != "precision" else 3
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    result = _train(data, tmp_path, "--recipe", str(tmp_path / "recipe.json"))
    assert f"plan.{member}" in str(result.exception)


@pytest.mark.slow
def test_two_processes_train_one_network(data: Path, tmp_path: Path) -> None:
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "atlas_hpe"]
    words = _shell(data, tmp_path, "--steps", "3", "--json", launch=launch)
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["steps"] == 3 and Path(report["weights"]).is_file()
    assert done.stderr.count("trained: 3 steps") == 1


def test_a_stopped_run_says_how_to_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*words: object, **options: object) -> None:
        (tmp_path / "training.pt").write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr("atlas_hpe.learn.start.train", stop)
    result = _train(data, tmp_path, "--steps", "9", *QUICK)
    assert result.exit_code == 1 and "--resume goes on" in result.stderr


@pytest.mark.slow
def test_a_recipe_that_starts_from_weights_asks_for_them(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    weights = str(trained / "hand_landmark.pt")
    words = ["--steps", "1", "--start-from", weights, *QUICK]
    assert _train(data, tmp_path / "first", *words).exit_code == 0
    recipe = ["--recipe", str(tmp_path / "first" / "recipe.json")]
    refused = _train(data, tmp_path / "second", *recipe)
    assert "starts from other weights" in str(refused.exception)
    again = _train(data, tmp_path / "second", *recipe, "--start-from", weights)
    assert again.exit_code == 0, again.exception


@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_save_leaves_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "training.pt"
    code = (
        "import sys, torch; from pathlib import Path;"
        "from atlas_hpe.learn.checkpoints import save_training\n"
        "for step in range(10**6): save_training(Path(sys.argv[1]), "
        "{'step': step, 'weights': torch.full((3_000_000,), float(step))})"
    )
    for pause in (0.0, 0.013, 0.029):
        path.unlink(missing_ok=True)
        with subprocess.Popen([sys.executable, "-c", code, str(path)]) as process:
            while not path.exists():
                time.sleep(0.05)
            time.sleep(0.3 + pause)
            process.kill()
        state = load_training(path)
        assert torch.equal(state["weights"], torch.full((3_000_000,), float(state["step"])))
