"""Figures that grow while a network trains."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Dict, List

from atlas_hpe.learn.pictures import draw_curves

__all__ = ["CURVES_NAME", "Curves"]

CURVES_NAME = "curves.csv"


class Curves:
    """Rows of figures, kept as a CSV file that grows and a PNG redrawn at each row."""

    def __init__(self, folder: Path, keep_until_step: int) -> None:
        self.path = folder / CURVES_NAME
        self.rows: List[Dict[str, float]] = []
        if keep_until_step and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as stream:
                read = [
                    {name: float(text) for name, text in row.items()}
                    for row in csv.DictReader(stream)
                ]
            # A resumed run repeats the steps after the checkpoint: drop what it will write again.
            self.rows = [row for row in read if row["step"] <= keep_until_step]

    def add(self, row: Dict[str, float]) -> None:
        """Append and redraw."""
        self.rows.append(row)
        with self.path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            writer.writeheader()
            writer.writerows(self.rows)
        draw_curves(
            {name: [each[name] for each in self.rows] for name in row},
            self.path.with_suffix(".png"),
        )
