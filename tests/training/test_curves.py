"""The table and picture of a run."""

import csv

import matplotlib.image
import numpy as np

from surgplan.training._curves import PICTURE, TABLE, write_curves


def rows(count: int) -> list[dict[str, float]]:
    return [
        {"step": 20 * n, "loss": 2 / n, "liver": 1 - 1 / n} | ({"spleen": 0.5} if n > 2 else {})
        for n in range(1, count + 1)
    ]


def test_the_table_holds_every_row_and_the_picture_moves_with_it(tmp_path) -> None:
    write_curves(rows(4), tmp_path)
    first = matplotlib.image.imread(tmp_path / PICTURE)
    with (tmp_path / TABLE).open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(r["loss"]) for r in table] == [2 / n for n in range(1, 5)]
    assert [r["spleen"] for r in table] == ["", "", "0.5", "0.5"]
    write_curves(rows(9), tmp_path)
    second = matplotlib.image.imread(tmp_path / PICTURE)
    assert first.shape == second.shape
    assert not np.array_equal(first, second)


def test_nothing_is_written_before_the_first_row(tmp_path) -> None:
    write_curves([], tmp_path)
    assert not list(tmp_path.iterdir())
