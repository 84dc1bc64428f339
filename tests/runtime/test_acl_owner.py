"""One owner per device: order of release, threads, others in the process, and failures."""

from __future__ import annotations

import threading
from typing import List

import pytest
from acl_board import Board, simulated_board

from atlas_hpe.errors import DeviceError
from atlas_hpe_runtime.acl.owner import DeviceOwner, finalise


def in_thread(work: object) -> None:
    failures: List[BaseException] = []

    def guarded() -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            failures.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def current(board: Board) -> object:
    return board.acl.call("rt.get_context")


def record(board: Board) -> List[str]:
    """The names of the calls from now on."""
    names: List[str] = []
    call = board.acl.try_call

    def noted(name: str, *args: object) -> object:
        names.append(name)
        return call(name, *args)

    board.acl.try_call = noted  # type: ignore[assignment,method-assign]
    return names


@pytest.mark.parametrize(("mode", "on_board"), [("rc", True), ("ep", False)])
def test_users_share_an_owner_that_the_last_one_releases(mode: str, on_board: bool) -> None:
    with simulated_board(mode) as board:
        first = DeviceOwner.acquire(board.acl, 0)
        second = DeviceOwner.acquire(board.acl, 0)
        assert first is second
        assert first.on_board is on_board
        first.release()
        assert board.live() == {"device": 1, "context": 1, "stream": 1}
        second.release()
        assert board.live() == {}


def test_the_release_has_the_documented_order() -> None:
    with simulated_board() as board:
        owner = DeviceOwner.acquire(board.acl, 0)
        names = record(board)
        owner.release()
        finalise(board.acl)
        expected = ["rt.destroy_stream", "rt.destroy_context", "rt.reset_device", "finalize"]
        assert [name for name in names if name != "rt.set_context"] == expected


def test_acl_is_initialised_once_for_many_owners_after_each_other() -> None:
    with simulated_board() as board:
        for _ in range(3):
            DeviceOwner.acquire(board.acl, 0).release()
        assert board.counts["acl.init"] == 1
        assert "acl.finalize" not in board.counts


def test_acl_is_not_finalised_while_a_device_is_in_use() -> None:
    with simulated_board() as board:
        owner = DeviceOwner.acquire(board.acl, 0)
        finalise(board.acl)
        assert "acl.finalize" not in board.counts
        owner.release()


def test_the_context_is_set_once_in_each_thread() -> None:
    with simulated_board() as board:
        owner = DeviceOwner.acquire(board.acl, 0)

        def work() -> None:
            before = board.counts.get("acl.rt.set_context", 0)
            for _ in range(3):
                with owner:
                    assert current(board) == owner.context
            owner.activate()
            assert board.counts["acl.rt.set_context"] == before + 1

        in_thread(work)
        in_thread(work)
        in_thread(owner.release)


def test_a_thread_that_uses_two_devices_has_the_right_context_in_each_block() -> None:
    with simulated_board(devices=2) as board:
        owners = [DeviceOwner.acquire(board.acl, device) for device in (0, 1)]
        for owner in (owners[0], owners[1], owners[0]):
            with owner:
                assert current(board) == owner.context
        owners[0].release()
        with owners[1]:
            assert current(board) == owners[1].context
        owners[1].release()


def test_a_release_on_one_device_does_not_hide_the_context_of_another() -> None:
    with simulated_board(devices=2) as board:
        owners = [DeviceOwner.acquire(board.acl, device) for device in (0, 1)]
        with owners[1]:
            pass
        with owners[0].for_release():
            assert current(board) == owners[0].context
        with owners[1]:
            assert current(board) == owners[1].context
        for owner in owners:
            owner.release()


def test_a_thread_that_knew_an_earlier_owner_gets_the_new_context() -> None:
    with simulated_board() as board:
        DeviceOwner.acquire(board.acl, 0).release()
        owners: List[DeviceOwner] = []
        in_thread(lambda: owners.append(DeviceOwner.acquire(board.acl, 0)))
        with owners[0]:
            assert current(board) == owners[0].context
        owners[0].release()


def test_beside_others_their_context_and_their_acl_stay() -> None:
    with simulated_board() as board:
        board.acl.call("init")
        board.acl.call("rt.set_device", 0)
        theirs = board.acl.number("rt.create_context", 0)
        owner = DeviceOwner.acquire(board.acl, 0)
        assert current(board) == theirs
        with owner:
            assert current(board) == owner.context
            with owner:
                pass
            assert current(board) == owner.context
        assert current(board) == theirs
        in_thread(lambda: owner.__enter__().__exit__(None, None, None))
        owner.release()
        finalise(board.acl)
        assert current(board) == theirs
        assert "acl.finalize" not in board.counts
        assert "acl.rt.reset_device" not in board.counts
        board.acl.call("rt.destroy_context", theirs)
        board.acl.call("rt.reset_device", 0)
        board.acl.call("finalize")


@pytest.mark.parametrize(
    "call",
    ["init", "rt.set_device", "rt.create_context", "rt.create_stream", "rt.get_run_mode"],
)
def test_a_failure_while_opening_undoes_what_was_done(call: str) -> None:
    with simulated_board(fail=f"acl.{call}@1=500001") as board:
        with pytest.raises(DeviceError, match=f"acl.{call} "):
            DeviceOwner.acquire(board.acl, 0)
        assert board.live() == {}
        DeviceOwner.acquire(board.acl, 0).release()


@pytest.mark.parametrize("call", ["rt.destroy_stream", "rt.destroy_context", "rt.reset_device"])
def test_a_failing_release_is_told_and_the_others_are_carried_out(call: str) -> None:
    with simulated_board(fail=f"acl.{call}@1=500001") as board:
        owner = DeviceOwner.acquire(board.acl, 0)
        with pytest.raises(DeviceError, match=f"acl.{call} "):
            owner.release()
        assert board.live() == {}


def test_a_context_that_can_not_be_set_does_not_stop_the_release() -> None:
    with simulated_board(fail="acl.rt.set_context@1=507000") as board:
        owner = DeviceOwner.acquire(board.acl, 0)
        with pytest.raises(DeviceError, match="set_context"):
            in_thread(owner.release)
        assert board.live() == {}


def test_beside_others_a_context_that_can_not_be_put_back_leaves_nothing_of_ours() -> None:
    with simulated_board(fail="acl.rt.set_context@1=507000") as board:
        board.acl.call("init")
        board.acl.call("rt.set_device", 0)
        theirs = board.acl.number("rt.create_context", 0)
        with pytest.raises(DeviceError, match="set_context"):
            DeviceOwner.acquire(board.acl, 0)
        assert board.live() == {"device": 1, "context": 1}
        board.acl.call("rt.destroy_context", theirs)
        board.acl.call("rt.reset_device", 0)
        board.acl.call("finalize")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_beside_others_a_failure_around_the_context_leaves_nothing(count: int) -> None:
    with simulated_board(fail=f"acl.rt.get_context@{count}=507000") as board:
        board.acl.call("init")
        board.acl.call("rt.set_device", 0)
        with pytest.raises(DeviceError, match="get_context"):
            for _ in range(2):
                owner = DeviceOwner.acquire(board.acl, 0)
                owner.release()
        assert set(board.live()) == {"device"}
        board.acl.call("rt.reset_device", 0)
        board.acl.call("finalize")


def test_an_error_of_a_device_that_is_not_there_names_it() -> None:
    with simulated_board() as board:
        with pytest.raises(DeviceError, match=r"rt\.set_device"):
            DeviceOwner.acquire(board.acl, 7)
        assert board.live() == {}


def test_a_failing_end_of_acl_is_told() -> None:
    with simulated_board(fail="acl.finalize@1=507000") as board:
        DeviceOwner.acquire(board.acl, 0).release()
        with pytest.raises(DeviceError, match=r"acl\.finalize"):
            finalise(board.acl)
