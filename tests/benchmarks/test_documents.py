"""Tables in the documents."""

from __future__ import annotations

import pathlib

import pytest

from benchmarks import documents
from components.common.errors import DataError

TABLE = '| a |\n|---|\n| 1 |\n'


def test_document_changes_only_between_the_markers(tmp_path: pathlib.Path) -> None:
    readme = tmp_path / 'README.md'
    readme.write_text('before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n')
    assert documents.update_document('bench', TABLE, readme)
    once = readme.read_text()
    assert once == f'before\n<!-- bench:begin -->\n{TABLE}\n<!-- bench:end -->\nafter\n'
    assert not documents.update_document('bench', TABLE, readme)
    assert readme.read_text() == once


@pytest.mark.parametrize(
    'text',
    [
        '',
        '<!-- a:begin -->',
        '<!-- a:end --><!-- a:begin -->',
        '<!-- a:begin --><!-- a:end -->' * 2,
    ],
)
def test_document_is_refused_when_its_markers_are_not_a_pair(text: str) -> None:
    with pytest.raises(DataError, match='once in this order'):
        documents.updated(text, 'a', 'content')


@pytest.mark.parametrize('name', ['bench', 'summary', 'history', 'elsewhere'])
def test_table_in_the_documents_matches_the_results(name: str) -> None:
    text = documents.find_document(name).read_text(encoding='utf-8')
    assert documents.updated(text, name, documents.document_tables()[name]) == text
