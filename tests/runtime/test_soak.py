"""Long runs on the simulator: memory stays flat, no handle and no thread is left."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from typing import Callable, Iterable, List, Set

import numpy as np
import pytest
from acl_board import Board, negation, random_array, simulated_board, write_model

pytest.importorskip("onnxruntime")

FRAMES = 100_000
SESSIONS = 1_000
IN_FLIGHT = 3
SHAPE = (1, 3, 4, 4)
PAGE_BYTES = 4096
#: Growth that the allocator's own housekeeping explains; a leak of one small array a frame is ten
#: times as much.
MOST_BYTES_PER_FRAME = 10.0
MOST_BYTES_PER_SESSION = 1000.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc"
    ),
]


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def new_threads(before: Iterable[threading.Thread]) -> Set[threading.Thread]:
    """Threads that were not there before; those of closed streams get a moment to end.

    Threads that other tests have left behind may end meanwhile.
    """
    end_s = time.monotonic() + 10
    while set(threading.enumerate()) - set(before) and time.monotonic() < end_s:
        time.sleep(0.01)
    return set(threading.enumerate()) - set(before)


def growth(step: Callable[[], None], count: int) -> float:
    """Bytes of resident memory that a step adds, of ``count`` steps.

    It is the median over twenty stretches of the second half: a leak grows in each of them, a table
    of the interpreter that is enlarged once does not.
    """
    stretch, sizes = count // 40, []
    for done in range(count):
        if done >= count // 2 and done % stretch == 0:
            sizes.append(resident_bytes())
        step()
    found = float(np.median(np.diff(sizes))) / stretch
    print(f"{count} steps: {found:+.2f} bytes resident per step")  # noqa: T201  # asked for
    return found


def test_a_hundred_thousand_frames_leave_memory_flat(tmp_path: Path) -> None:
    path, feeds = write_model(tmp_path, negation()), {"x": random_array(SHAPE)}
    threads = threading.enumerate()
    with simulated_board() as board:
        with board.open(path, frames_in_flight=IN_FLIGHT) as session:
            waiting = [session.submit(feeds) for _ in range(IN_FLIGHT - 1)]

            def frame() -> None:
                waiting.append(session.submit(feeds))
                outputs = session.result(waiting.pop(0))
                assert outputs["y"][0, 0, 0, 0] == -feeds["x"][0, 0, 0, 0]

            assert growth(frame, FRAMES) < MOST_BYTES_PER_FRAME
        assert board.live() == {}
    assert not new_threads(threads)


def test_a_thousand_sessions_leave_memory_flat(tmp_path: Path) -> None:
    path, feeds = write_model(tmp_path, negation()), {"x": random_array(SHAPE)}
    threads = threading.enumerate()
    with simulated_board(mode="ep") as board:

        def session() -> None:
            with board.open(path) as opened:
                opened.run(feeds)
            assert board.live() == {}

        for _ in range(200):  # the simulator remembers what was freed last
            session()
        assert growth(session, SESSIONS) < MOST_BYTES_PER_SESSION
    assert not new_threads(threads)


@pytest.mark.parametrize("mode", ["rc", "ep"])
def test_eight_threads_share_a_device(tmp_path: Path, mode: str) -> None:
    path = write_model(tmp_path, negation())
    failures: List[BaseException] = []

    def work(board: Board, seed: int) -> None:
        x = random_array(SHAPE, seed=seed)
        try:
            for _ in range(5):
                with board.open(path) as session:
                    for _ in range(20):
                        np.testing.assert_array_equal(session.run({"x": x})["y"], -x)
        except BaseException as error:  # noqa: BLE001  # told by the main thread
            failures.append(error)

    with simulated_board(mode=mode) as board:
        threads = [threading.Thread(target=work, args=(board, seed)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert board.live() == {}
