from __future__ import annotations

import dataclasses

import pytest

from components.label_issues.table import IssueSummary
from pipeline.report.label_section import label_errors
from pipeline.report.render import render
from pipeline.report.view import Missing
from pipeline.results.label_issues import LabelIssues
from tests.pipeline.report.sample_reports import HOSTILE, make_outcome, make_report


def test_first_suspects_are_shown_with_their_place_when_there_are_any() -> None:
    report = make_report()
    file = 'runs/reports/1.label_issues.csv'
    issues = LabelIssues(train=155, val=0, test=1_137, file=file)
    report = dataclasses.replace(report, outcome=make_outcome(label_issues=issues))
    page = render(report)
    section = page[page.index('<section id="labels"') : page.index('<section id="learning"')]
    assert '1,292 labels are probably wrong: train 155, val 0, test 1,137.' in section
    assert section.count('<li>') == 20
    assert '<code>&lt;b&gt;reviews&lt;/b&gt;.csv:17</code>' in section
    assert 'example 1,234 of test' in section
    assert f'<code>{file}</code>' in section
    assert 'probably &#39;positive&#39;' in section or "probably 'positive'" in section
    assert HOSTILE not in page
    assert '<a href="#labels">' in page


@pytest.mark.parametrize(
    ('counts', 'sentence'),
    [
        ({'train': 1, 'val': 0, 'test': 0}, '1 label is probably wrong: train 1, val 0, test 0.'),
        (
            {'train': 0, 'val': 0, 'test': 0},
            'No label of train and val and test is suspected to be wrong.',
        ),
        (
            {'test': 7},
            '7 labels are probably wrong: test 7. The labels of train and val were not examined, '
            'because this model has no scores of examples that it did not learn from.',
        ),
    ],
)
def test_sentence_says_which_splits_were_examined(counts: dict[str, int], sentence: str) -> None:
    summary = IssueSummary(counts=counts, shown=[])
    found = label_errors(dataclasses.replace(make_report(), label_issues=summary))
    assert not isinstance(found, Missing)
    assert found['summary'] == sentence


def test_reason_is_given_when_no_split_was_examined() -> None:
    missing = Missing(reason='This run is old.')
    report = dataclasses.replace(make_report(), label_issues=missing)
    assert label_errors(report) == missing
    assert '<p class="missing">This run is old.</p>' in render(report)
