"""Tests of the summary of a run, in a pipe and on terminals of several widths."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import Any, Literal

import pytest

from components.evaluator.metric_table import Check, MetricChange
from pipeline.results.label_issues import LabelIssues
from pipeline.results.outcome import (
    NO_BASELINE,
    NodeResult,
    Pushed,
    RunOutcome,
    State,
    Withdrawn,
)
from pipeline.terminal.summary import print_summary
from tests.pipeline.terminal.terminal import Terminal

NOTHING = 'Nothing is new: data{}, settings and code are those of an earlier run.'
NO_DATA = 'No new data: an earlier run read spans 1 to 2.'


CHANGES: dict[str, tuple[float, float, float, Literal['better', 'worse', 'no difference']]] = {
    'binary_accuracy': (0.0514, 0.0478, 0.055, 'better'),
    'recall': (-0.001, -0.004, 0.002, 'no difference'),
    'calibration': (0.05, 0.04, 0.06, 'worse'),
}
TABLES = """\

Blessed, pushed as version 17
metric                             value   95% interval       bound
accuracy                          0.9231   0.9197 to 0.9263   >= 0.8000
                                                              >= 0.8617 (baseline)
loss                              0.1986   0.1932 to 0.2041
AUC                                    -
precision                              -
recall                            0.9270   0.9220 to 0.9310
calibration                       1.0031   0.9900 to 1.0100
expected calibration error             -
percent of test in train or val    0.492                      <= 5
accuracy, product=toaster         0.7100   0.6200 to 0.7900   >= 0.7000
AUC, 11-50 words                  0.9000                      >= 0.9500 ✗

metric                            baseline    change   95% interval
accuracy                            0.8717   +0.0514   +0.0478 to +0.0550   better
loss                                0.2986   -0.1000
AUC                                      -
precision                                -
recall                              0.9280   -0.0010   -0.0040 to +0.0020   no difference
calibration                         0.9531   +0.0500   +0.0400 to +0.0600   worse
expected calibration error               -
✗ AUC, 11-50 words: expected >= 0.9500, got 0.9000
run  1, 0.0 s
"""


def check_of(metric: str, where: str, value: float, bound: str, **fields: Any) -> Check:
    return Check(**{'passed': True, **fields}, metric=metric, slice=where, value=value, bound=bound)


def measured(**changes: Any) -> RunOutcome:
    """Return an outcome with intervals and a baseline, with fields changed."""
    metrics = {
        'binary_accuracy': 0.9231, 'loss': 0.1986, 'recall': 0.927, 'calibration': 1.0031,
        'example_count': 823.0,
    }  # fmt: skip
    outcome = RunOutcome(
        run_id='1',
        outcome='pushed',
        name='sentiment',
        data='data',
        metrics=metrics,
        intervals={
            'binary_accuracy': (0.9197, 0.9263),
            'loss': (0.1932, 0.2041),
            'recall': (0.922, 0.931),
            'calibration': (0.99, 1.01),
        },
        slice_intervals={'product=toaster': {'binary_accuracy': (0.62, 0.79)}},
        baseline={
            'loss': 0.2986,
            **{name: metrics[name] - change[0] for name, change in CHANGES.items()},
        },
        changes={
            name: MetricChange(change=value, low=low, high=high, verdict=verdict)
            for name, (value, low, high, verdict) in CHANGES.items()
        },
        thresholds=(
            check_of('binary_accuracy', '', 0.9231, '>= 0.8000'),
            check_of('binary_accuracy', '', 0.9231, '>= 0.8617 (baseline)'),
            check_of('test_overlap_percent', '', 0.492, '<= 5'),
            check_of('binary_accuracy', 'product=toaster', 0.71, '>= 0.7000'),
            check_of('auc', 'length=11-50', 0.9, '>= 0.9500', passed=False),
        ),
        pushed=Pushed(path='', version='17'),
        config={'gate': {'max_accuracy_drop': 0.01}},
    )
    return dataclasses.replace(outcome, **changes)


def lines_of(outcome: RunOutcome) -> list[str]:
    """Return the lines of the summary in a pipe, without blanks at their ends."""
    stream = io.StringIO()
    print_summary(outcome, stream)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def summary_of(*, blessed: bool = True, **changes: Any) -> list[str]:
    """Return the lines of the summary of a run with one bound, with fields changed."""
    check = Check(metric='binary_accuracy', slice='', value=0.7, bound='>= 0.8000', passed=blessed)
    outcome = RunOutcome(
        run_id='1',
        outcome='pushed' if blessed else 'not_blessed',
        name='sentiment',
        data='data',
        thresholds=(check,),
        metrics={'binary_accuracy': 0.7},
    )
    return lines_of(dataclasses.replace(outcome, **changes))


@pytest.mark.parametrize(
    ('examples', 'spans', 'nothing_new', 'expected'),
    [
        ('cached', 'spans 1 to 2', True, NOTHING.format(' (spans 1 to 2)')),
        ('cached', None, True, NOTHING.format('')),
        ('cached', 'spans 1 to 2', False, NO_DATA),
        ('cached', None, False, None),
        ('executed', 'spans 1 to 2', False, None),
    ],
)
def test_summary_says_so_when_no_data_is_new(
    examples: State, spans: str | None, nothing_new: bool, expected: str | None
) -> None:
    nodes = (NodeResult(id='ExampleGen', state=examples),)
    lines = summary_of(spans=spans, nothing_new=nothing_new, nodes=nodes)
    assert [line for line in lines if ' new' in line] == ([expected] if expected else [])


def test_verdict_names_the_version_when_the_model_is_pushed() -> None:
    lines = summary_of(pushed=Pushed(path='/serving/17', version='17'), baseline_version='16')
    assert 'Blessed, pushed as version 17' in lines
    assert 'baseline  version 16' in lines
    assert NO_BASELINE in lines


def test_verdict_is_in_a_box_when_the_candidate_is_not_blessed() -> None:
    lines = summary_of(blessed=False)
    assert lines[2] == '┃ ✗ Not blessed: nothing was pushed ┃'
    assert {len(line) for line in lines[1:4]} == {len(lines[2])}
    assert '✗ accuracy: expected >= 0.8000, got 0.7000' in lines


def test_verdict_is_in_ascii_when_the_stream_has_no_other_characters() -> None:
    stream = Terminal('ascii')
    print_summary(RunOutcome(run_id='1', outcome='not_blessed', name='a', data='b'), stream)
    assert '| x Not blessed: nothing was pushed |' in stream.lines()


def test_hint_is_shown_when_the_baseline_ranks_worse_than_chance() -> None:
    check = Check(
        metric='baseline_auc',
        slice='',
        value=0.04,
        bound='>= 0.5000',
        passed=False,
        hint='look at the labels',
    )
    lines = summary_of(blessed=False, thresholds=(check,))
    assert any(re.fullmatch(r'AUC of the baseline +0\.0400 +>= 0\.5000 ✗', line) for line in lines)
    place = lines.index('✗ AUC of the baseline: expected >= 0.5000, got 0.0400')
    assert lines[place + 1] == '  look at the labels'


def test_rollback_command_is_shown_when_the_model_is_withdrawn() -> None:
    lines = summary_of(
        outcome='withdrawn',
        withdrawn=Withdrawn(version='7', at='2026-11-25 09:00:00 UTC'),
        config={'root': 'my runs', 'name': 'sentiment', 'serving_dir': None},
    )
    assert lines[1] == 'Blessed, not pushed: this model is withdrawn'
    assert (
        'A rollback on 2026-11-25 09:00:00 UTC withdrew this model, which was version 7. The live '
        'version stays live.'
    ) in lines
    assert (
        "To restore the model: python pipeline_runner.py models rollback 7 --root 'my runs'"
    ) in lines


@pytest.mark.parametrize('rejects', [None, '/report/rejects*.jsonl'])
def test_path_of_the_rejected_rows_is_shown_when_there_are_any(rejects: str | None) -> None:
    lines = [line for line in summary_of(rejects=rejects) if line.startswith('rejects')]
    assert lines == ([f'rejects  {rejects}'] if rejects else [])


def test_number_and_path_of_suspected_label_errors_are_shown_when_labels_were_examined() -> None:
    issues = LabelIssues(train=3, val=0, test=1_234, file='/reports/1.label_issues.csv')
    lines = [line for line in summary_of(label_issues=issues) if line.startswith('labels')]
    assert lines == ['labels  1,237 suspected errors: /reports/1.label_issues.csv']
    assert not [line for line in summary_of() if line.startswith('labels')]


def test_tables_have_intervals_and_verdicts_when_there_is_a_baseline() -> None:
    assert lines_of(measured()) == TABLES.splitlines()


def test_tables_have_no_change_when_there_is_no_baseline() -> None:
    lines = lines_of(measured(baseline=None, changes={}))
    assert not any('change' in line or 'better' in line for line in lines)
    assert lines.count(NO_BASELINE) == 1


def test_other_metrics_are_shown_when_they_have_a_bound() -> None:
    assert not any(line.startswith('examples') for line in lines_of(measured()))
    bound = check_of('example_count', '', 823, '>= 500')
    assert 'examples 823 >= 500' in squeezed(lines_of(measured(thresholds=(bound,))))


def squeezed(lines: list[str]) -> list[str]:
    return [' '.join(line.split()) for line in lines]


def test_end_of_the_interval_is_shown_when_it_is_compared_with_the_bound() -> None:
    checks = (
        check_of('binary_accuracy', '', 0.9231, '>= 0.9000', judged=0.9197),
        check_of('auc', '', 0.9, '>= 0.8900', judged=0.88, passed=False),
    )
    lines = squeezed(lines_of(measured(judged_by='interval', thresholds=checks)))
    assert lines[2] == 'metric value 95% interval bound of the worse end'
    assert 'accuracy 0.9231 0.9197 to 0.9263 0.9197 >= 0.9000' in lines
    assert '✗ AUC: expected >= 0.8900, got 0.8800, the worse end of the interval of 0.9000' in lines


def test_slices_that_meet_their_bounds_are_counted_when_there_are_many() -> None:
    checks = [
        check_of(
            metric, f'product={number}', 0.9, '>= 0.8000', passed=(number, metric) != (3, 'auc')
        )
        for number in range(9)
        for metric in ('binary_accuracy', 'auc')
    ]
    lines = lines_of(measured(thresholds=tuple(checks)))
    assert [line for line in lines if 'product=' in line and '✗' in line[:1]] == [
        '✗ AUC, product=3: expected >= 0.8000, got 0.9000'
    ]
    assert sum('product=' in line for line in lines) == 2
    assert 'slices  8 of 9 meet their bounds' in lines
    few = lines_of(measured(thresholds=tuple(checks[:16])))
    assert sum('product=' in line for line in few) == 17
    assert not any(line.startswith('slices') for line in few)


def test_small_slices_are_named_in_one_line_when_they_are_not_judged() -> None:
    checks = tuple(
        check_of('auc', f'length=1-10, product={number}', 0.5, '>= 0.8', skipped='9 texts')
        for number in range(6)
    )
    slices: dict[str, dict[str, float | None]] = {checks[0].slice: {'example_count': 9.0}}
    lines = lines_of(measured(thresholds=checks, slices=slices))
    assert [line for line in lines if 'product=' in line] == [
        'Not judged, too few texts: 1-10 words, product=0 (9), 1-10 words, product=1 (0), '
        '1-10 words, product=2 (0), 1-10 words, product=3 (0) and 2 more.'
    ]


def test_hint_is_shown_once_when_several_bounds_have_it() -> None:
    checks = tuple(
        check_of('auc', f'product={number}', 0.5, '>= 0.8', passed=False, hint='a larger split')
        for number in range(3)
    )
    lines = lines_of(measured(thresholds=checks))
    assert lines.count('  a larger split') == 1
    assert sum(line.startswith('✗') for line in lines) == 3


def test_needed_examples_are_said_when_the_test_split_is_too_small() -> None:
    lines = lines_of(measured(examples_needed=6_300))
    assert (
        'This test split has 823 texts; 6,300 would be needed to show a drop of the accuracy of '
        '0.01.'
    ) in lines


@pytest.mark.parametrize(
    ('thresholds', 'expected'),
    [
        ((0.5, None), []),
        ((0.5, 0.5), []),
        ((0.27314, None), ['threshold  0.2731']),
        ((0.27314, 0.5), ['threshold  0.2731 (baseline 0.5)']),
        ((0.5, 0.4), ['threshold  0.5 (baseline 0.4)']),
    ],
)
def test_decision_threshold_is_shown_when_it_is_not_one_half(
    thresholds: tuple[float, float | None], expected: list[str]
) -> None:
    outcome = measured(threshold=thresholds[0], baseline_threshold=thresholds[1])
    assert [line for line in lines_of(outcome) if line.startswith('threshold')] == expected


def test_level_of_the_intervals_is_named_when_it_is_not_95_percent() -> None:
    assert sum('90% interval' in line for line in lines_of(measured(confidence=0.9))) == 2


@pytest.mark.parametrize('width', [40, 60, 80, 100, 120])
def test_no_number_is_cut_when_the_terminal_is_narrow(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('COLUMNS', str(width))
    stream = Terminal()
    print_summary(measured(), stream)
    tables = stream.lines()[2:-2]
    assert max(map(len, tables[:-1])) <= width
    text = ' '.join(tables)
    for number in ('0.9231', '0.9263', '0.8617', '+0.0514', '+0.0478', '+0.0550', '-0.0040'):
        assert number in text
    assert '…' not in text
