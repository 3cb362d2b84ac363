"""Tests of the table of `make torture`."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests.torture import table
from tests.torture.table import Row, add_up, markdown, save


def test_rows_of_the_same_fault_are_add_up() -> None:
    rows = [Row('b', 1, 1, 0), Row('a', 2, 3, 1), Row('b', 4, 5, 6)]

    assert add_up(rows) == [Row('a', 2, 3, 1), Row('b', 5, 6, 6), Row('all', 7, 9, 7)]
    assert markdown(rows).splitlines()[-1] == '| all | 7 | 9 | 7 |'


@pytest.mark.parametrize(('failed', 'code'), [(0, 0), (1, 1)])
def test_table_is_written_to_the_page_only_when_no_test_failed(
    failed: int, code: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, results = tmp_path / 'README.md', tmp_path / 'results.json'
    page.write_text('# A\n<!-- torture:begin -->old<!-- torture:end -->\nz\n', encoding='utf-8')
    save([Row('killed', 30, 30, 0)], results, seconds=120, failed=failed)
    monkeypatch.setattr(table, 'README', page)
    monkeypatch.setattr(table, 'RESULTS', results)

    assert table.main() == code

    content = page.read_text(encoding='utf-8')
    assert ('| killed | 30 | 30 | 0 |' in content) == (not failed)
    assert ('old' in content) == bool(failed)
    assert content.startswith('# A\n')
    assert content.endswith('\nz\n')


def test_saved_results_contain_versions_and_machine(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'results.json'
    save([Row('killed', 30, 30, 0)], path, seconds=90.4, failed=0)

    saved = json.loads(path.read_text(encoding='utf-8'))

    assert saved['rows'] == [['killed', 30, 30, 0]]
    assert saved['seconds'] == 90
    assert saved['versions']['tfx']
    assert saved['machine']['cores'] >= 1
