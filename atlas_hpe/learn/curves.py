"""Figures that grow while a network trains."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Dict, List

from atlas_hpe.errors import InputError
from atlas_hpe.learn.pictures import draw_curves
from atlas_hpe.outfile import AtomicFile

__all__ = ["CURVES_NAME", "Curves"]

CURVES_NAME = "curves.csv"
_UNKNOWN = float("nan")


def _read(path: Path) -> List[Dict[str, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [
                {name: float(text) for name, text in row.items() if text}
                for row in csv.DictReader(stream)
            ]
        return [row for row in rows if row["step"] >= 0]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            "the figures of the run so far can't be read",
            where=path,
            why=str(error),
            fix="delete the file; the curves start anew",
        ) from error


class Curves:
    """Rows of figures, kept as a CSV file that grows and a PNG redrawn at each row.

    Args:
        folder: where both lie.
        keep_until_step: 0 starts anew; a resumed run keeps the rows up to its checkpoint, for it
            writes the later ones again.

    Raises:
        InputError: the rows to keep can't be read.
    """

    def __init__(self, folder: Path, keep_until_step: int) -> None:
        self.path = folder / CURVES_NAME
        self.rows: List[Dict[str, float]] = []
        if keep_until_step and self.path.exists():
            self.rows = [row for row in _read(self.path) if row["step"] <= keep_until_step]

    def add(self, row: Dict[str, float]) -> None:
        """Append and redraw."""
        self.rows.append(row)
        # A resumed run may measure other things than before: blank cells take no part.
        names = list(dict.fromkeys(name for each in self.rows for name in each))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(self.rows)
        with AtomicFile(self.path, force=True) as file:
            file.write(text.getvalue().encode())
        columns = {name: [each.get(name, _UNKNOWN) for each in self.rows] for name in names}
        draw_curves(columns, self.path.with_suffix(".png"))
