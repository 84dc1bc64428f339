"""Outputs are refused before any work, and appear only when whole."""

from __future__ import annotations

import gc
import os
import secrets
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from atlas_hpe.errors import OutputError
from atlas_hpe.outfile import AtomicFile, check_out_path

KINDS = (".mp4", ".gif")


def check(path: Path, force: bool = False) -> Path:
    return check_out_path(path, KINDS, force=force)


def test_a_good_path_comes_back_and_nothing_is_made(tmp_path: Path) -> None:
    for name in ("clip.gif", "clip.MP4"):
        assert check_out_path(str(tmp_path / name), KINDS, force=False) == tmp_path / name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["clip.avi", "clip", ".gif"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="kind of output is not known") as caught:
        check(tmp_path / name)
    assert caught.value.why is not None
    assert caught.value.why.endswith("known are .gif, .mp4")


def test_a_folder_is_no_output_even_with_force(tmp_path: Path) -> None:
    folder = tmp_path / "clips.gif"
    folder.mkdir()
    with pytest.raises(OutputError, match="a folder, not a file"):
        check(folder, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_device_is_never_replaced(tmp_path: Path, force: bool) -> None:
    link = tmp_path / "null.gif"
    link.symlink_to("/dev/null")
    with pytest.raises(OutputError, match="a device or a pipe"):
        check(link, force=force)


def test_a_missing_folder_comes_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist") as caught:
        check(tmp_path / "nowhere" / "clip.gif")
    assert caught.value.fix == f"mkdir -p '{tmp_path / 'nowhere'}'"


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="not a folder"):
        check(tmp_path / "file" / "clip.gif")


def test_a_folder_that_can_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked through os.access, because tests may run as root, whom no permission stops.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="not writable"):
        check(tmp_path / "clip.gif")


def test_a_place_that_the_system_refuses_to_look_at_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="can't be written") as caught:
        check(tmp_path / ("x" * 300 + ".gif"))
    assert caught.value.why == "File name too long"


def test_an_existing_file_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "clip.gif"
    path.write_text("")
    with pytest.raises(OutputError, match="exists already"):
        check(path)
    assert check(path, force=True) == path


def test_the_file_appears_when_published_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    file = AtomicFile(path, force=False)
    file.write(b"whole")
    assert not path.exists()
    file.publish()
    assert path.read_bytes() == b"whole"
    file.discard()
    assert [item.name for item in tmp_path.iterdir()] == ["a.bin"]


def test_as_a_context_manager_it_publishes_or_discards(tmp_path: Path) -> None:
    with AtomicFile(tmp_path / "good.bin", force=False) as file:
        file.write(b"whole")
    with pytest.raises(KeyboardInterrupt), AtomicFile(tmp_path / "bad.bin", force=False) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    full = AtomicFile(tmp_path / "full.bin", force=False)
    with pytest.raises(OutputError, match="can't be written"), full:
        raise OSError(28, "No space left on device")
    assert [item.name for item in tmp_path.iterdir()] == ["good.bin"]


def test_a_file_that_has_the_temporary_name_already_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    first = AtomicFile(tmp_path / "a.bin", force=True)
    first.write(b"of another run")
    with pytest.raises(OutputError, match="refuses a new file"):
        AtomicFile(tmp_path / "a.bin", force=True)
    first.publish()
    assert (tmp_path / "a.bin").read_bytes() == b"of another run"


def test_a_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "a.bin", force=False)
    file.write(b"half")
    file.discard()
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_file_is_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def interrupted(path: Path, mode: str) -> None:
        real(path, mode).close()
        assert path.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "open", interrupted)
    with suppress(KeyboardInterrupt):  # pytest.raises would keep the frame, and the object in it
        AtomicFile(tmp_path / "a.bin", force=False)
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_nobody_has_any_more_is_removed(tmp_path: Path) -> None:
    AtomicFile(tmp_path / "a.bin", force=False).write(b"half")
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_held_to_the_end_of_the_program_is_removed(tmp_path: Path) -> None:
    code = (
        "from atlas_hpe.outfile import AtomicFile, Path\n"
        "import sys\n"
        "file = AtomicFile(Path(sys.argv[1]), force=False)\n"
        "assert file.temporary.exists()\n"
        "sys.keep = file\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.bin")], check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    file = AtomicFile(path, force=False)
    path.write_bytes(b"somebody else")
    with pytest.raises(OutputError, match="exists already"):
        file.publish()
    file.discard()
    assert path.read_bytes() == b"somebody else"
    assert [item.name for item in tmp_path.iterdir()] == ["a.bin"]


def test_force_replaces_what_a_link_points_to(tmp_path: Path) -> None:
    real, link = tmp_path / "real.bin", tmp_path / "link.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    file = AtomicFile(link, force=True)
    file.write(b"new")
    file.publish()
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_very_long_name_still_fits(tmp_path: Path) -> None:
    path = tmp_path / ("\N{HIRAGANA LETTER A}" * 80 + ".bin")
    file = AtomicFile(path, force=False)
    file.publish()
    assert path.exists()
