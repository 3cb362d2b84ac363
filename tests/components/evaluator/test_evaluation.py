"""Tests that the displayed checks agree with the gate."""

from __future__ import annotations

import math

import pytest

from components.common.settings import GateSettings
from components.evaluator.eval_config import bounds_of, resolve_eval_config
from components.evaluator.evaluation import Evaluation
from components.evaluator.metric_table import ACCURACY, AUC


def evaluation(
    accuracy: float | None,
    baseline: float | None = None,
    *,
    slices: dict[str, float] | None = None,
    measured: dict[str, float] | None = None,
    auc: float | None = 0.9,
    baseline_auc: float | None = 0.9,
) -> Evaluation:
    gate = GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01, slices=slices or {})
    config = resolve_eval_config(gate, has_baseline=baseline is not None)
    return Evaluation(
        metrics={ACCURACY: accuracy, AUC: auc},
        slices={f'length={name}': {ACCURACY: value} for name, value in (measured or {}).items()},
        baseline=None if baseline is None else {ACCURACY: baseline, AUC: baseline_auc},
        bounds=tuple(bounds_of(config)),
    )


@pytest.mark.parametrize(
    ('accuracy', 'baseline', 'passed'),
    [
        (0.85, None, [True, True]),
        (0.80, None, [True, True]),
        (0.79, None, [False, True]),
        (None, None, [False, True]),
        (math.nan, None, [False, True]),
        (0.85, 0.855, [True, True, True, True]),
        (0.85, 0.87, [True, False, True, True]),
        (0.85, math.nan, [True, False, True, True]),
        (None, 0.85, [False, False, True, True]),
    ],
)
def test_bounds_hold_or_not_when_compared(
    accuracy: float | None, baseline: float | None, passed: list[bool]
) -> None:
    checks = evaluation(accuracy, baseline).checks()
    assert [check.passed for check in checks] == passed


def test_slice_fails_when_it_has_no_examples() -> None:
    checks = evaluation(0.9, slices={'1-10': 0.5, '11-50': 0.5}, measured={'11-50': 0.6}).checks()
    assert [(c.label, c.passed) for c in checks] == [
        ('accuracy', True),
        ('accuracy, 1-10 words', False),
        ('accuracy, 11-50 words', True),
        ('AUC', True),
    ]


@pytest.mark.parametrize(
    ('found', 'label', 'value', 'bound', 'hint'),
    [
        (evaluation(0.9, auc=0.5), 'AUC', 0.5, '>= 0.7000', ''),
        (
            evaluation(0.9, 0.1, baseline_auc=0.04),
            'AUC of the baseline',
            0.04,
            '>= 0.5000',
            'labels may be swapped',
        ),
        (evaluation(0.85, 0.87), 'accuracy', 0.85, '>= 0.8600 (baseline)', ''),
    ],
)
def test_failed_check_says_what_was_expected(
    found: Evaluation, label: str, value: float, bound: str, hint: str
) -> None:
    (failed,) = (check for check in found.checks() if not check.passed)
    assert (failed.label, failed.value, failed.bound) == (label, value, bound)
    assert hint in failed.hint
    assert bool(failed.hint) == bool(hint)
