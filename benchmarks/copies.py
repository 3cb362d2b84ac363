"""Writes IMDB several times over, each time in other words: `write_copies`."""

from __future__ import annotations

import csv
import pathlib
import string

from benchmarks.reviews import read_texts

# Between the letters of two copies; 26 letters allow for eight of them.
_STEP = 3


def rotate(text: str, copy: int) -> str:
    """Replace each letter by one that comes later in the alphabet.

    >>> rotate('A bad film', 0), rotate('A bad film', 1)
    ('A bad film', 'D edg ilop')
    """
    for letters in (string.ascii_lowercase, string.ascii_uppercase) if copy else ():
        turned = letters[copy * _STEP :] + letters[: copy * _STEP]
        text = text.translate(str.maketrans(letters, turned))
    return text


def write_copies(archive: pathlib.Path, folder: pathlib.Path, copies: int) -> int:
    """Write all reviews of the IMDB archive as tables, also those without a label.

    The words of a copy differ from those of the others, except for a few short ones.

    Args:
        archive: The IMDB archive.
        folder: Folder for the tables; it is made.
        copies: Number of copies.

    Returns:
        The number of reviews that were written.
    """
    folder.mkdir(parents=True)
    written = 0
    files, writers = [], {}
    try:
        for name in ('train', 'test', 'unsup'):
            for copy in range(copies):
                file = (folder / f'{name}-{copy}.csv').open('w', encoding='utf-8', newline='')
                files.append(file)
                writers[name, copy] = csv.writer(file)
                writers[name, copy].writerow(['text', 'label'])
        for split, label, text in read_texts(archive, unlabelled=True):
            for copy in range(copies):
                writers[split, copy].writerow([rotate(text, copy), label])
                written += 1
    finally:
        for file in files:
            file.close()
    return written
