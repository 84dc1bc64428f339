"""How often a lost source is tried again, and what is told about it."""

from __future__ import annotations

from itertools import islice
from typing import List

from atlas_hpe_pipelines.sources.live.losses import MOST_LINES, Losses
from atlas_hpe_pipelines.sources.live.patience import Patience


def test_pauses_double_up_to_the_longest_and_differ_by_chance() -> None:
    runs = [list(islice(Patience().pauses_s(), 7)) for _ in range(50)]
    for most_s, pauses_s in zip([0.5, 1, 2, 4, 8, 8, 8], zip(*runs)):
        assert 0.75 * most_s <= min(pauses_s) < max(pauses_s) <= most_s
        assert max(pauses_s) - min(pauses_s) > 0.1 * most_s


def test_a_loss_has_one_line_that_tells_its_end() -> None:
    warnings: List[str] = ["something else"]
    losses = Losses("cam", warnings)
    losses.lost(12.34, "no picture for 5 s")
    assert warnings[1:] == ["cam: lost at 12.3 s (no picture for 5 s), not back yet"]
    losses.back(1.66, 2)
    assert warnings[1:] == [
        "cam: lost at 12.3 s (no picture for 5 s), back after 1.7 s and 2 attempts"
    ]
    assert warnings[0] == "something else"


def test_a_night_of_losses_stays_short_and_counts_all() -> None:
    warnings: List[str] = []
    losses = Losses("cam", warnings)
    for number in range(5000):
        losses.lost(number, "it ended")
        losses.back(9.0 if number == 4000 else 0.5, 1)
    assert len(warnings) == MOST_LINES + 1
    assert warnings[0] == "cam: lost at 0.0 s (it ended), back after 0.5 s and 1 attempt"
    assert warnings[-1] == (
        "cam: lost at 4999.0 s (it ended), back after 0.5 s and 1 attempt; since the line before, "
        f"lost {5000 - MOST_LINES} times, away for {(5000 - MOST_LINES) * 0.5 + 8.5:.1f} s "
        "together and 9.0 s at most"
    )
    losses.lost(6000, "it ended")
    assert warnings[-1].startswith("cam: lost at 6000.0 s (it ended), not back yet; ")
    assert len(warnings) == MOST_LINES + 1
