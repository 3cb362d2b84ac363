from __future__ import annotations

import pathlib

import pytest

from tests.components.example_gen.samples import encode_archive


@pytest.fixture(scope='session')
def archive(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Make an archive in the layout of IMDB's, of 800 different texts that reveal their label."""
    path = tmp_path_factory.mktemp('archive') / 'small.tar.gz'
    members = [('aclImdb/train/unsup/1_0.txt', b'')]
    for number in range(800):
        split, label = ('train', 'test')[number % 2], number // 2 % 2
        text = f'A {("dull", "great")[label]} film, the one of number{number}. It has an end.'
        name = f'aclImdb/{split}/{("neg", "pos")[label]}/{number}_5.txt'
        members.append((name, text.encode()))
    path.write_bytes(encode_archive(members))
    return path
