"""The recipes of docs/data.md, each tried on a small file of the shape of the data set."""

from __future__ import annotations

import gzip
import pathlib
import re
import shlex
from typing import Any

import click
import pyarrow
import pytest
from pyarrow import parquet

from components.example_gen.source_files import read_files
from components.example_gen.sources import discover, list_files
from components.readers.records import Record
from pipeline.cli.main import main
from pipeline.cli.options import config_of
from tests.conftest import REPO

_TWEET = '"{label}","17","Tue May 05 10:00:00 PDT 2009","NO_QUERY","someone","{text}"\n'
FILES = {
    'IMDB Dataset.csv': (
        b'review,sentiment\n"One, ""two"".<br /><br />Three",positive\nFour,negative\n',
        [('One, "two".<br /><br />Three', 'positive'), ('Four', 'negative')],
    ),
    'training.1600000.processed.noemoticon.csv': (
        (
            _TWEET.format(label=0, text='@who café, too late')
            + _TWEET.format(label=4, text='so &quot;good&quot;')
        ).encode('latin-1'),
        [('@who café, too late', '0'), ('so &quot;good&quot;', '4')],
    ),
    'amazon.json.gz': (
        gzip.compress(
            b'{"overall": 5.0, "reviewText": "Fine", "asin": "B0007"}\n'
            b'{"overall": 1.0, "reviewText": "Bad", "asin": "B0007"}\n'
        ),
        [('Fine', '5'), ('Bad', '1')],
    ),
    'yelp.json': (
        b'{"stars": 4, "text": "Fine", "business_id": "xQ"}\n'
        b'{"stars": 2.0, "text": "Bad", "business_id": "xQ"}\n',
        [('Fine', '4'), ('Bad', '2')],
    ),
    'SMSSpamCollection.tsv': (
        b'ham\tSee you at "five\nspam\tWin a prize\nham\tor six" then\n',
        [('See you at "five', 'ham'), ('Win a prize', 'spam'), ('or six" then', 'ham')],
    ),
}


_HUB = 'rotten_tomatoes/'


def _recipes() -> dict[str, list[str]]:
    """Return the options of each recipe by what it reads."""
    text = (REPO / 'docs' / 'data.md').read_text('utf-8').partition('\n## Recipes\n')[2]
    commands = re.findall(r'```sh\n(.*?)```', text, re.DOTALL)
    lines = ''.join(commands).replace('\\\n', ' ').splitlines()
    found = [shlex.split(line) for line in lines]
    return {words[words.index('--data') + 1]: words[words.index('run') + 1 :] for words in found}


def test_each_recipe_is_tried() -> None:
    assert set(_recipes()) == {*FILES, _HUB}


@pytest.mark.parametrize('name', FILES)
def test_recipe_reads_the_rows(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, expected = FILES[name]
    monkeypatch.chdir(tmp_path)
    pathlib.Path(name).write_bytes(content)
    assert [record[:2] for record in _read(name)] == expected


def test_recipe_reads_the_splits_of_a_parquet_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = pathlib.Path(_HUB, 'data')
    folder.mkdir(parents=True)
    for split in ('train', 'test', 'validation'):
        table = pyarrow.table({'text': [f'a fine {split}', 'bad'], 'label': [1, 0]})
        parquet.write_table(table, folder / f'{split}-00000-of-00001.parquet')
    found = [record[:3] for record in _read(_HUB)]
    assert sorted(found) == sorted(
        row
        for split, text in (('train', 'train'), ('test', 'test'), ('val', 'validation'))
        for row in ((f'a fine {text}', '1', split), ('bad', '0', split))
    )


def _read(name: str) -> list[Record]:
    data = config_of(_parse(_recipes()[name])).data
    source = discover(data.path, data.columns)
    found = [
        record
        for split, file in list_files(source)
        for record in read_files(source.kind, [file], data.columns, split)
    ]
    assert all(isinstance(record, Record) for record in found), found
    return [record for record in found if isinstance(record, Record)]


def _parse(options: list[str]) -> dict[str, Any]:
    command = main.get_command(click.Context(main), 'run')
    assert command is not None
    return command.make_context('run', list(options)).params
