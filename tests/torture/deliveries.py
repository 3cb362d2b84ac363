"""Deliveries of data to a folder in which a good model was pushed."""

from __future__ import annotations

import csv
import pathlib
from typing import NamedTuple

from tests.conftest import SAMPLE, Finished, run_command

NOT_BLESSED, DATA, USAGE = 3, 4, 2
Rows = list[dict[str, str]]
SPLIT = ('--split-column', 'split')


class Home(NamedTuple):
    """A folder in which a good model was pushed, and the data that it was trained on."""

    folder: pathlib.Path
    rows: Rows

    @property
    def serving(self) -> pathlib.Path:
        """The folder above all serving folders."""
        return self.folder / 'runs' / 'serving'

    def run(self, rows: Rows, *args: str) -> Finished:
        """Run the pipeline on other data."""
        data = self.folder / 'delivery.csv'
        with open(data, 'w', encoding='utf-8', newline='') as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        return run_command('run', '--data', str(data), '--json', *args, cwd=self.folder)


def first_delivery(folder: pathlib.Path) -> Home:
    """Push a model that is trained on the sample data."""
    with open(SAMPLE / 'reviews.csv', encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    home = Home(folder, rows)
    done = home.run(rows)
    assert done.code == 0, done.err
    return home


def split_rows(rows: Rows, run: int = 1) -> Rows:
    """Assign `run` rows after each other to a split."""
    splits = ('train', 'train', 'val', 'test')
    return [{**row, 'split': splits[number // run % 4]} for number, row in enumerate(rows)]
