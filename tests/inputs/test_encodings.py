"""Tables in other encodings than UTF-8."""

from __future__ import annotations

import contextlib
import encodings.aliases
import io
import pathlib
import random

import pytest

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.batches import SourceKind, make_batches
from pipeline.predict.rows import open_source
from tests.conftest import call_command
from tests.inputs.cases import Case, check_case

_TEXTS = {
    'windows-1252': 'Un café “très” agréable',
    'latin-1': 'Ein schöner Film',
    'utf-16': 'A fine film 😍',
    'utf-16-le': 'Ein schöner Film',
    'utf-16-be': 'Ein schöner Film',
    'utf-32': 'Ein schöner Film',
    'shift_jis': 'とても面白い映画でした',
    'gb18030': '这部电影非常好看',
    'euc-kr': '정말 재미있는 영화',
    'koi8-r': 'Очень хороший фильм',
    'utf-8-sig': 'Ein schöner Film',
}


def _case(name: str, encoding: str, text: str) -> Case:
    content = {
        'a.csv': f'text,label\n{text},pos\n"dull, {text}",neg\n',
        'a.tsv': f'text\tlabel\n{text}\tpos\ndull, {text}\tneg\n',
        'a.jsonl': f'{{"text": "{text}", "label": 1}}\n{{"text": "dull, {text}", "label": 0}}\n',
    }[name]
    labels = ('1', '0') if name == 'a.jsonl' else ('pos', 'neg')
    return Case(
        name=f'{encoding} in {name[1:]}',
        files={name: content.encode(encoding)},
        columns={'encoding': encoding},
        rows=[(text, labels[0]), (f'dull, {text}', labels[1])],
    )


CASES = [
    *(
        _case(name, encoding, text)
        for name in ('a.csv', 'a.tsv', 'a.jsonl')
        for encoding, text in _TEXTS.items()
    ),
    Case(
        name='a byte that the encoding does not have',
        files={'a.csv': b'text,label\nCaf\xe9,pos\nBad \x81,neg\nDull,neg\n'},
        columns={'encoding': 'windows-1252'},
        rows=[('Café', 'pos'), ('Dull', 'neg')],
        rejected=['not cp1252'],
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


def test_texts_in_lines_are_read_in_the_encoding() -> None:
    columns = ColumnSettings(encoding='utf-16')
    source = open_source(io.BytesIO('schön\ngut\n'.encode('utf-16')), 'a.txt', columns)
    assert [row.text for row in source.rows] == ['schön', 'gut']


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-32'])
@pytest.mark.parametrize('order', ['le', 'be'])
def test_byte_order_is_found_when_there_is_no_mark(encoding: str, order: str) -> None:
    columns = ColumnSettings(encoding=encoding)
    content = io.BytesIO('schön\ngut\n'.encode(f'{encoding}-{order}'))
    source = open_source(content, 'a.txt', columns)
    assert [row.text for row in source.rows] == ['schön', 'gut']


def test_mark_is_no_text_when_the_byte_order_is_named() -> None:
    columns = ColumnSettings(encoding='utf-16-le')
    source = open_source(io.BytesIO('\ufefftext\nA\n'.encode('utf-16-le')), 'a.csv', columns)
    assert source.table.columns == ['text']


@pytest.mark.parametrize(
    ('encoding', 'text'),
    [
        ('windows-1252', 'Un film très agréable et déjà vu'),
        ('windows-1252', 'A “fine” film'),
        ('shift_jis', 'とても面白い映画でした'),
        ('gb18030', '这部电影非常好看'),
        ('euc-kr', '정말 재미있는 영화'),
        ('windows-1251', 'Очень хороший фильм'),
        ('koi8-r', 'Очень хороший фильм'),
    ],
)
def test_commands_name_the_encoding_when_rows_are_not_utf8(
    encoding: str, text: str, tmp_path: pathlib.Path
) -> None:
    rows = ''.join(f'{text} {n},{"pos" if n % 2 else "neg"}\n' for n in range(40))
    content = f'text,label\nFine,pos\nDull,neg\n{rows}'.encode(encoding)
    with pytest.raises(DataError, match='a.csv:4: the row cannot be used: not UTF-8') as caught:
        list(open_source(io.BytesIO(content), 'a.csv', ColumnSettings()).rows)
    assert f'--encoding {encoding},' in caught.value.hint
    if text == 'A “fine” film':
        (tmp_path / 'a.csv').write_bytes(content)
        for command in ('run', 'doctor'):
            found = call_command(command, '--data', str(tmp_path / 'a.csv'), cwd=tmp_path)
            assert f'pass --encoding {encoding}' in found.out + found.err


@pytest.mark.parametrize('encoding', sorted({*encodings.aliases.aliases.values(), 'utf-8-sig'}))
@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl', 'a.txt'])
def test_rows_are_read_or_refused_when_bytes_are_arbitrary(name: str, encoding: str) -> None:
    try:
        columns = ColumnSettings(encoding=encoding)
    except ValueError:
        return  # no encoding of text
    head = {'a.csv': 'text,n\n', 'a.jsonl': '{"text": "A"}\n', 'a.txt': 'A\n'}[name]
    chance = random.Random(encoding)
    for _ in range(10):
        body = bytes(chance.choices(b'\n\r,"ab\\{}\x80\x81\xe9\xff\xd8\0\xfe', k=40))
        content = io.BytesIO(head.encode(encoding) + body)
        with contextlib.suppress(DataError):
            source = open_source(content, name, columns)
            for row in source.rows:
                (row.text or '').encode('utf-8')


def test_option_is_refused_when_the_file_has_a_mark_of_utf8() -> None:
    columns = ColumnSettings(encoding='windows-1252')
    with pytest.raises(DataError, match='a.csv is UTF-8 with a byte order mark') as caught:
        open_source(io.BytesIO(b'\xef\xbb\xbftext\nA\n'), 'a.csv', columns)
    assert caught.value.hint == 'leave out --encoding'


@pytest.mark.parametrize(
    ('encoding', 'count'),
    [
        ('utf-8', 2),
        ('cp1252', 2),
        ('gb18030', 2),
        ('utf-16', 1),
        ('utf-16-le', 1),
        ('cp500', 1),
        ('utf-7', 1),
    ],
)
def test_file_is_one_batch_when_line_breaks_are_no_single_bytes(encoding: str, count: int) -> None:
    files = [('a.jsonl', 150)]
    assert len([*make_batches(SourceKind.TABLES, None, files, 100, encoding)]) == count


@pytest.mark.parametrize('encoding', ['idna', 'punycode', 'unicode_escape', 'rot13', 'none'])
def test_setting_is_refused_when_files_cannot_have_the_encoding(encoding: str) -> None:
    with pytest.raises(ValueError, match='expected (the name of a text|an) encoding'):
        ColumnSettings(encoding=encoding)
