"""Tests of the page of the inputs."""

from __future__ import annotations

from benchmarks.documents import updated
from tests.inputs.table import README, markdown


def test_page_has_a_row_for_each_case() -> None:
    page = README.read_text(encoding='utf-8')

    assert updated(page, 'inputs', markdown()) == page, 'run python -m tests.inputs.table'
