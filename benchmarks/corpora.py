"""Reads public data sets, which users download and unpack into one folder."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from components.common.errors import DataError

DEFAULT_FOLDER = pathlib.Path('corpora')

Rows = Iterable[tuple[str, int]]


class Corpus(NamedTuple):
    """A data set.

    Attributes:
        title: Name in the table.
        files: Its files, below the folder of all data sets.
        rows: Function from the paths of these files to texts and labels, 1 for positive.
        without_spaces: Whether the texts have no spaces between words.
    """

    title: str
    files: tuple[str, ...]
    rows: Callable[..., Rows]
    without_spaces: bool = False


def missing_files(corpus: Corpus, folder: pathlib.Path) -> list[str]:
    """Return the files of a data set that a folder lacks."""
    return [name for name in corpus.files if not (folder / name).is_file()]


def read(corpus: Corpus, folder: pathlib.Path) -> tuple[list[str], list[int]]:
    """Return the texts and the labels of a data set, without empty texts.

    Raises:
        DataError: A file cannot be read, or has another format.
    """
    try:
        rows = corpus.rows(*(folder / name for name in corpus.files))
        texts, labels = zip(*((text, label) for text, label in rows if text.strip()), strict=True)
    except (OSError, ValueError, LookupError) as err:
        raise DataError(f'cannot read {", ".join(corpus.files)} in {folder}: {err!r}') from err
    return list(texts), list(labels)


def _lines(path: pathlib.Path, encoding: str = 'utf-8') -> list[str]:
    # Not splitlines, which also splits at characters inside a text, such as U+0085.
    return path.read_text(encoding=encoding).removesuffix('\n').split('\n')


def _rt_polarity(negative: pathlib.Path, positive: pathlib.Path) -> Rows:
    for label, path in enumerate((negative, positive)):
        # Its dashes, quotes and ellipses are those that Windows adds to Latin-1.
        yield from ((text, label) for text in _lines(path, 'cp1252'))


def _sms_spam(path: pathlib.Path) -> Rows:
    for line in _lines(path):
        label, text = line.split('\t', 1)
        yield text, {'ham': 0, 'spam': 1}[label]


def _hotels(path: pathlib.Path) -> Rows:
    with path.open(encoding='utf-8-sig', newline='') as file:
        yield from ((row['review'], int(row['label'])) for row in csv.DictReader(file))


def _tweets(*paths: pathlib.Path) -> Rows:
    for texts, labels in zip(paths[::2], paths[1::2], strict=True):
        for text, label in zip(_lines(texts), _lines(labels), strict=True):
            # 0 is negative, 1 neutral and 2 positive.
            if label != '1':
                yield text, int(label == '2')


CORPORA: Mapping[str, Corpus] = {
    'rt-polarity': Corpus(
        'sentences of film reviews (rt-polarity)',
        ('rt-polaritydata/rt-polarity.neg', 'rt-polaritydata/rt-polarity.pos'),
        _rt_polarity,
    ),
    'sms-spam': Corpus('SMS spam', ('SMSSpamCollection',), _sms_spam),
    'hotels': Corpus(
        'Chinese hotel reviews', ('ChnSentiCorp_htl_all.csv',), _hotels, without_spaces=True
    ),
    'tweets': Corpus(
        'tweets (TweetEval)',
        (
            'sentiment/val_text.txt',
            'sentiment/val_labels.txt',
            'sentiment/test_text.txt',
            'sentiment/test_labels.txt',
        ),
        _tweets,
    ),
}
