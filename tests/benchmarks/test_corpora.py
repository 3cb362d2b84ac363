"""The four formats of the public data sets, on invented texts."""

from __future__ import annotations

import pathlib

import pytest

from benchmarks.corpora import CORPORA, missing_files, read
from benchmarks.elsewhere import read_corpus
from components.common.errors import DataError

FILES = {
    'rt-polarity': {
        'rt-polaritydata/rt-polarity.neg': b'dull \x97 and\x85 bad\n',
        'rt-polaritydata/rt-polarity.pos': b'a fianc\xe9\ngood\n',
    },
    'sms-spam': {'SMSSpamCollection': b'ham\tsays "no\t!\nspam\tWin \xc2\xa31\n'},
    'hotels': {
        'ChnSentiCorp_htl_all.csv': '\ufefflabel,review\n1,"好,""很好""\n"\n0,\n0,差\n'.encode(),
    },
    'tweets': {
        'sentiment/val_text.txt': 'one\u2028line\nneither\n'.encode(),
        'sentiment/val_labels.txt': b'2\n1\n',
        'sentiment/test_text.txt': b'bad',
        'sentiment/test_labels.txt': b'0',
    },
}
ROWS = {
    'rt-polarity': [('dull — and… bad', 0), ('a fiancé', 1), ('good', 1)],
    'sms-spam': [('says "no\t!', 0), ('Win £1', 1)],
    'hotels': [('好,"很好"\n', 1), ('差', 0)],
    'tweets': [('one\u2028line', 1), ('bad', 0)],
}


def write(folder: pathlib.Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize('name', list(CORPORA))
def test_texts_and_labels_are_read_in_each_format(name: str, tmp_path: pathlib.Path) -> None:
    corpus = CORPORA[name]
    assert missing_files(corpus, tmp_path) == list(corpus.files) == list(FILES[name])
    write(tmp_path, FILES[name])
    assert missing_files(corpus, tmp_path) == []
    assert list(zip(*read(corpus, tmp_path))) == ROWS[name]


@pytest.mark.parametrize(
    ('name', 'file', 'content'),
    [
        ('sms-spam', 'SMSSpamCollection', b'ham, no tab'),
        ('sms-spam', 'SMSSpamCollection', b'other\ttext'),
        ('sms-spam', 'SMSSpamCollection', b''),
        ('hotels', 'ChnSentiCorp_htl_all.csv', b'text\nno label\n'),
        ('tweets', 'sentiment/val_labels.txt', b'2\n'),
        ('tweets', 'sentiment/val_text.txt', b'\xff'),
    ],
)
def test_data_error_names_the_file_when_its_format_is_another(
    name: str, file: str, content: bytes, tmp_path: pathlib.Path
) -> None:
    write(tmp_path, {**FILES[name], file: content})
    with pytest.raises(DataError, match=f'cannot read .*{file}'):
        read(CORPORA[name], tmp_path)


def test_texts_share_a_fold_when_only_numbers_or_punctuation_differ(
    tmp_path: pathlib.Path,
) -> None:
    lines = [f'ham\tmessage {chr(97 + i % 26)}{chr(97 + i // 26)} {i}' for i in range(260)]
    lines += [line.replace('ham\tm', 'spam\tM') + '7!' for line in lines]
    write(tmp_path, {'SMSSpamCollection': '\n'.join(lines).encode()})
    films = read_corpus(CORPORA['sms-spam'], tmp_path)
    assert films.folds[:260] == films.folds[260:]
    assert films.labels == [0] * 260 + [1] * 260
    assert 0.1 < films.folds.count(0) / 520 < 0.3
