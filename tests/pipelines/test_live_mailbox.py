"""One place for the newest frame, or a short queue that holds up who delivers."""

from __future__ import annotations

import threading
import time
from typing import List

import numpy as np
import pytest

from atlas_hpe.errors import SourceError
from atlas_hpe.poses import Frame
from atlas_hpe_pipelines.sources.live.mailbox import QUEUE_SIZE, Mailbox


def _frame(index: int) -> Frame:
    return Frame(index, float(index), np.zeros((2, 2, 3), np.uint8))


def _taken(mailbox: Mailbox) -> List[int]:
    frames = iter(mailbox.take, None)
    return [frame.index for frame in frames if frame is not None]


def test_the_newest_frame_replaces_the_one_that_waits() -> None:
    mailbox = Mailbox(keeps_all=False)
    for index in range(5):
        mailbox.put(_frame(index))
    first = mailbox.take()
    assert first is not None
    assert (first.index, mailbox.dropped) == (4, 0)  # nobody was late before the first
    for index in range(5, 9):
        mailbox.put(_frame(index))
    mailbox.end()
    assert _taken(mailbox) == [8]
    assert mailbox.dropped == 3


def test_a_queue_that_keeps_all_holds_up_who_delivers() -> None:
    mailbox = Mailbox(keeps_all=True)
    delivered: List[int] = []

    def deliver() -> None:
        for index in range(50):
            mailbox.put(_frame(index))
            delivered.append(index)
        mailbox.end()

    thread = threading.Thread(target=deliver)
    thread.start()
    time.sleep(0.2)
    assert len(delivered) == QUEUE_SIZE
    assert _taken(mailbox) == list(range(50))
    thread.join()
    assert mailbox.dropped == 0


@pytest.mark.parametrize("keeps_all", [False, True])
def test_stop_lets_everybody_go_on(keeps_all: bool) -> None:
    mailbox = Mailbox(keeps_all)
    took: List[object] = []
    taker = threading.Thread(target=lambda: took.append(mailbox.take()))
    taker.start()
    time.sleep(0.05)
    started_s = time.monotonic()
    mailbox.stop()
    taker.join(1)
    assert took == [None]
    for index in range(2 * QUEUE_SIZE):
        mailbox.put(_frame(index))  # at once, no matter how full
    assert mailbox.take() is None
    assert time.monotonic() - started_s < 0.2


def test_stop_lets_go_on_who_waits_for_room() -> None:
    mailbox = Mailbox(keeps_all=True)
    for index in range(QUEUE_SIZE):
        mailbox.put(_frame(index))
    deliverer = threading.Thread(target=lambda: mailbox.put(_frame(QUEUE_SIZE)))
    deliverer.start()
    time.sleep(0.05)
    mailbox.stop()
    deliverer.join(0.5)
    assert not deliverer.is_alive()


def test_an_error_comes_behind_the_frames_before_it() -> None:
    mailbox = Mailbox(keeps_all=True)
    mailbox.put(_frame(0))
    mailbox.end(SourceError("lost"))
    assert mailbox.first() is mailbox.take()
    with pytest.raises(SourceError, match="lost"):
        mailbox.take()
