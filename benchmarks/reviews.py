"""Reads the reviews of the IMDB archive."""

from __future__ import annotations

import os
import random
import re
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

NAMES = ('neg', 'pos')

_MEMBER = re.compile(r'(?:^|/)(?:(train|test)/(pos|neg)|train/(unsup))/[^/]+\.txt$')


class Review(NamedTuple):
    """A review.

    Attributes:
        split: `train` or `test`.
        label: 1 for positive, 0 for negative.
        text: The text as published.
    """

    split: str
    label: int
    text: str


def read_texts(
    archive: str | os.PathLike[str], *, unlabelled: bool
) -> Iterator[tuple[str, str, str]]:
    """Yield the split, the label's name and the text of reviews, in the order of the archive.

    Args:
        archive: The archive.
        unlabelled: Whether to read those without a label, too. Their split is `unsup`, and
            their label is empty.
    """
    with tarfile.open(archive, mode='r|*') as members:
        for member in members:
            match = _MEMBER.search(member.name)
            if match is None or (match[3] and not unlabelled):
                continue
            content = members.extractfile(member) if member.isfile() else None
            if content is not None:
                yield match[1] or match[3], match[2] or '', content.read().decode('utf-8')


def read_reviews(archive: str) -> Iterator[Review]:
    """Yield all labelled reviews, in the order of the archive."""
    for split, name, text in read_texts(archive, unlabelled=False):
        yield Review(split, NAMES.index(name), text)


class Split(NamedTuple):
    """The texts of a split and their labels, in the same order."""

    texts: list[str]
    labels: list[int]


def read_splits(archive: str) -> dict[str, Split]:
    """Read `train` and `test` into memory."""
    splits = {'train': Split([], []), 'test': Split([], [])}
    for split, label, text in read_reviews(archive):
        splits[split].texts.append(text)
        splits[split].labels.append(label)
    return splits


def shuffled(split: Split, seed: int) -> Split:
    """Return a split in random order."""
    order = list(range(len(split.texts)))
    random.Random(seed).shuffle(order)
    return Split([split.texts[i] for i in order], [split.labels[i] for i in order])
