"""Tests of the HTML of a page, without a browser."""

from __future__ import annotations

import dataclasses
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from components.evaluator.metric_table import Check, MetricChange
from pipeline.report import interval_charts, sections
from pipeline.report.compare import compare
from pipeline.report.render import render, render_comparison
from pipeline.report.vega import draw, layer, number
from pipeline.report.view import Data, Missing
from pipeline.results.outcome import NO_BASELINE, Withdrawn
from tests.pipeline.report.sample_reports import make_outcome, make_report

SVG = '{http://www.w3.org/2000/svg}'


def test_missed_bound_is_the_reason_when_the_model_is_not_blessed() -> None:
    reasons = sections.reasons(make_outcome('not_blessed'))
    assert reasons[0] == 'Accuracy is 0.7912, expected at least 0.8000.'
    check = Check(
        metric='binary_accuracy', slice='length=1-10', value=None, bound='>= 0.7000', passed=False
    )
    outcome = make_outcome('not_blessed', thresholds=(check,), baseline=None)
    assert sections.reasons(outcome) == [
        'Accuracy on texts with 1-10 words is missing, expected at least 0.7000.',
        'Nothing was pushed. The live version is unchanged.',
        NO_BASELINE,
    ]


def test_hint_is_shown_when_the_baseline_ranks_worse_than_chance() -> None:
    check = Check(
        metric='baseline_auc',
        slice='',
        value=0.04,
        bound='>= 0.5000',
        passed=False,
        hint='look at the labels',
    )
    outcome = make_outcome('not_blessed', thresholds=(check,))
    reasons = 'AUC of the baseline is 0.0400, expected at least 0.5000. Look at the labels.'
    assert sections.reasons(outcome)[0] == reasons
    page = render(dataclasses.replace(make_report('not_blessed'), outcome=outcome))
    assert '<th scope="row">AUC of the baseline</th>' in page
    assert reasons in page


def test_bound_on_the_overlap_of_test_is_shown_with_its_hint() -> None:
    check = Check(
        metric='test_overlap_percent',
        slice='',
        value=12.3456,
        bound='<= 5',
        passed=False,
        hint='remove them',
    )
    outcome = make_outcome('not_blessed', thresholds=(check,))
    reason = 'Percent of test in train or val is 12.35, expected at most 5. Remove them.'
    assert sections.reasons(outcome)[0] == reason
    page = render(dataclasses.replace(make_report('not_blessed'), outcome=outcome))
    assert '<td class="n">12.35</td>' in page
    assert '≤ 5, missed' in page


@pytest.mark.parametrize(
    ('counts', 'sentence'),
    [
        ({}, 'There are no duplicates, within or across splits.'),
        (
            {'duplicates': 3, 'near_duplicates': 3},
            '3 texts are duplicates within their split. No text of test is also in train or val.',
        ),
        (
            {'near_duplicates': 2},
            'No text is a duplicate within its split; if numbers are ignored, 2 are. '
            'No text of test is also in train or val.',
        ),
        (
            {'nearly_shared': {'train': 5}, 'nearly_seen': 5},
            'No text is a duplicate within its split. No text of test is also in train or val; if '
            'numbers are ignored, 5 (5.0%) are.',
        ),
        (
            {'shared': {'train': 5}, 'nearly_shared': {'train': 7}, 'seen': 5, 'nearly_seen': 7},
            'No text is a duplicate within its split. 5 texts of test (5.0%) are also in train or '
            'val; if numbers are ignored, 7 (7.0%) are.',
        ),
        # Written by an older version.
        (
            dict.fromkeys(('seen', 'nearly_seen', 'near_duplicates', 'nearly_shared')),
            'There are no duplicates, within or across splits.',
        ),
        (
            {'shared': {'train': 5}}
            | dict.fromkeys(('seen', 'nearly_seen', 'near_duplicates', 'nearly_shared')),
            'No text is a duplicate within its split.',
        ),
    ],
)
def test_sentence_says_which_texts_repeat(counts: dict[str, Any], sentence: str) -> None:
    report = make_report()
    assert isinstance(report.data, Data)
    none = {'duplicates': 0, 'shared': {}, 'seen': 0}
    none |= {'near_duplicates': 0, 'nearly_shared': {}, 'nearly_seen': 0}
    test = report.data.described.splits[2]
    assert test.name == 'test'
    split = dataclasses.replace(test, examples=100, **{**none, **counts})
    described = dataclasses.replace(report.data.described, splits=[split])
    found = dataclasses.replace(report, data=dataclasses.replace(report.data, described=described))
    context = sections.data(found)
    assert not isinstance(context, Missing)
    assert context['duplicates'] == sentence
    assert sentence in render(found)


def test_rollback_command_is_shown_when_the_model_is_withdrawn() -> None:
    rollback = Withdrawn(version='17', at='2026-11-25 09:00:00 UTC')
    withdrawn = make_outcome('withdrawn', pushed=None, withdrawn=rollback)
    reasons = sections.reasons(withdrawn)
    assert any('withdrew this model, which was version 17' in reason for reason in reasons)
    assert 'To restore the model: python pipeline_runner.py models rollback 17' in reasons
    page = render(dataclasses.replace(make_report(), outcome=withdrawn))
    assert 'Blessed, not pushed' in page


def test_slices_are_in_the_order_of_their_numbers_when_the_user_measures_them() -> None:
    slices = {
        f'length={words}': {'binary_accuracy': 0.9, 'recall_at_k': 0.875}
        for words in ('101-200', '1-10', '11-50')
    }
    page = render_with(slices={**slices, 'product=tea': {}}, slice_intervals={})
    table = page.partition('Metrics by number of words')[2].partition('</table>')[0]
    names = ['1-10', '11-50', '101-200']
    assert re.findall('<th scope="row">(.*)</th>', table) == names
    assert '<td class="n">0.8750</td>' in table
    assert 'By product' in page


def test_slices_have_intervals_and_bounds_when_they_are_judged() -> None:
    check = Check(
        metric='auc', slice='product=tea', value=0.8, bound='>= 0.7500', passed=False, judged=0.74
    )
    page = render_with(
        slices={'product=tea': {'binary_accuracy': 0.7, 'auc': 0.8, 'example_count': 90.0}},
        slice_intervals={'product=tea': {'binary_accuracy': (0.6, 0.79), 'auc': (0.74, 0.86)}},
        thresholds=(
            check,
            dataclasses.replace(check, metric='loss', passed=True, skipped='9 texts'),
        ),
    )
    table = page.partition('"Metrics by product"')[2].partition('</table>')[0]
    for cell in (
        '0.6000 to 0.7900',
        '0.7400 to 0.8600',
        '≥ 0.7500, missed',
        'by 0.7400',
        'judged: 9 texts',
    ):
        assert cell in table
    assert 'Clearly below the overall accuracy of 0.9230: tea (0.7000).' in page


def test_changes_differ_in_shape_when_their_verdicts_differ() -> None:
    verdicts = ('better', 'worse', 'no difference')
    names = ('binary_accuracy', 'loss', 'auc')
    changes = {
        name: MetricChange(change=0.1, low=-0.1, high=0.2, verdict=verdict)  # type: ignore[arg-type]
        for name, verdict in zip(names, verdicts)
    }
    rows = make_outcome(changes=changes).metric_rows()
    root = ElementTree.fromstring(interval_charts.draw_changes(rows) or '')
    marks = [path for path in root.iter(f'{SVG}path') if path.find(f'{SVG}title') is not None]
    assert len(marks) == len({path.get('d') for path in marks}) == 3
    page = render_with(changes=changes)
    for verdict, mark in zip(verdicts, '▲▼○'):
        assert f'{mark} {verdict}' in page
    assert 'cannot show which model is better' in page


def render_with(**changes: Any) -> str:
    """Render the page of a run whose outcome has other fields."""
    report = make_report()
    return render(
        dataclasses.replace(report, outcome=dataclasses.replace(report.outcome, **changes))
    )


def test_markup_is_escaped_when_texts_contain_it() -> None:
    page = render(make_report())
    assert '<script' not in page
    assert '<img' not in page
    assert '&lt;script&gt;' in page
    assert page.count('&lt;b&gt;bold&lt;/b&gt;') == 2
    page.encode('utf-8')


def test_contributions_are_shown_when_the_model_returns_them() -> None:
    page = render(make_report())
    assert 'Contributions:' in page
    assert '<bdi>not &lt;b&gt;good&lt;/b&gt;</bdi> −1.25' in page
    assert '<bdi>a wonderful</bdi> +0.75' in page
    report = make_report()
    assert not isinstance(report.scores, Missing)
    silent = dataclasses.replace(report.scores, mistakes=report.scores.uncertain)
    assert 'Contributions:' not in render(dataclasses.replace(report, scores=silent))


@pytest.mark.parametrize('part', ['history', 'scores', 'data', 'lineage'])
def test_section_gives_the_reason_when_content_is_missing(part: str) -> None:
    report = dataclasses.replace(make_report(), **{part: Missing(reason=f'No {part} <here>.')})
    assert f'No {part} &lt;here&gt;.' in render(report)


def test_page_is_rendered_when_the_record_is_almost_empty() -> None:
    nothing = Missing(reason='There is nothing.')
    outcome = make_outcome('failed', nodes=(), config={}, versions={}, error=None, spans=None)
    report = dataclasses.replace(
        make_report(),
        outcome=outcome,
        history=nothing,
        scores=nothing,
        data=nothing,
        nodes={},
        lineage=nothing,
    )
    page = render(report)
    assert 'The settings of this run are not recorded.' in page
    assert 'The reason is not recorded.' in page


def test_page_is_rendered_when_test_has_one_label_only() -> None:
    report = make_report()
    assert not isinstance(report.scores, Missing)
    details = report.scores
    histogram = dataclasses.replace(details.candidate, negative=[0] * 1_000)
    single = dataclasses.replace(
        details, candidate=histogram, baseline=None, true_negatives=0, false_positives=0
    )
    page = render(dataclasses.replace(report, scores=single))
    assert 'ROC' not in page
    assert 'Calibration' in page


def test_best_of_each_metric_is_marked_when_runs_are_compared() -> None:
    found = compare([make_report('not_blessed'), make_report()])
    rows = {row.name: row for row in found['metrics']}
    assert rows['accuracy'].best == [False, True]
    assert rows['AUC'].best == [False, False]  # equal
    assert found['summary'][0] == 'B has the highest accuracy, 0.9230: 0.1318 above A.'
    assert found['settings'] == []


def test_settings_that_differ_are_listed_when_runs_are_compared() -> None:
    config = {'name': 'sentiment', 'preset': 'tutorial', 'trainer': {'epochs': 5}}
    other = dataclasses.replace(make_report(), outcome=make_outcome(config=config))
    found = compare([make_report(), other])
    assert {row.name: row.values for row in found['settings']} == {
        'preset': ['ngram', 'tutorial'],
        'trainer.epochs': ['10', '5'],
    }
    assert 'have the same accuracy' in found['summary'][0]
    assert 'trainer.epochs' in render_comparison([make_report(), other])


@pytest.mark.parametrize('test_split_differs', [True, False])
def test_comparison_warns_when_the_test_splits_differ(test_split_differs: bool) -> None:
    report = make_report()
    assert not isinstance(report.data, Missing)
    described = report.data.described
    splits = [
        dataclasses.replace(split, examples=split.examples - (split.name == 'test'))
        if test_split_differs
        else dataclasses.replace(split, unknown=0.5, shared={})
        for split in described.splits
    ]
    data = dataclasses.replace(report.data, described=dataclasses.replace(described, splits=splits))
    summary = ' '.join(compare([report, dataclasses.replace(report, data=data)])['summary'])
    assert ('evaluated on different texts' in summary) == test_split_differs


def test_chart_uses_the_colours_of_the_page_when_it_is_drawn() -> None:
    values = [{'x': 1, 'label': 'a <b> \x00'}]
    bar = layer(values, {'type': 'bar', 'color': 'var(--accent)'}, x=number('x', 'x'))
    svg = draw([bar], 'a "name"')
    root = ElementTree.fromstring(svg)
    assert root.attrib['aria-label'] == 'a "name"'
    assert 'fill="var(--accent)"' in svg
    assert [e.text for e in root.iter() if e.tag.endswith('title')] == ['a <b> \ufffd']
    assert 'id=' not in svg.replace('grid=', '')
