"""The table of bounds: what is shown must be what the gate did."""

from __future__ import annotations

import math

import pytest

from components.errors import ComponentError
from components.settings import GateSettings
from pipeline.findings import Evaluation


def evaluation(
    accuracy: float | None,
    baseline: float | None = None,
    *,
    slices: dict[str, float] | None = None,
    measured: dict[str, float] | None = None,
) -> Evaluation:
    found = Evaluation.__new__(Evaluation)
    found._gate = GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01, slices=slices or {})
    found.blessed = True
    found.metrics = {'binary_accuracy': accuracy, 'example_count': 10.0}
    found.baseline = None if baseline is None else {'binary_accuracy': baseline}
    found.slices = {f'length={k}': {'binary_accuracy': v} for k, v in (measured or {}).items()}
    return found


@pytest.mark.parametrize(
    ('accuracy', 'baseline', 'passed'),
    [
        (0.85, None, [True]),
        (0.80, None, [True]),
        (0.79, None, [False]),
        (None, None, [False]),
        (math.nan, None, [False]),
        (0.85, 0.855, [True, True]),
        (0.85, 0.87, [True, False]),
        (0.85, math.nan, [True, False]),
    ],
)
def test_bounds_hold_or_not_when_compared(
    accuracy: float | None, baseline: float | None, passed: list[bool]
) -> None:
    checks = evaluation(accuracy, baseline).checks()
    assert [check.passed for check in checks] == passed


def test_slice_fails_when_it_has_no_examples() -> None:
    checks = evaluation(0.9, slices={'1-10': 0.5, '11-50': 0.5}, measured={'11-50': 0.6}).checks()
    assert [(c.slice, c.passed) for c in checks] == [
        ('', True),
        ('length=1-10', False),
        ('length=11-50', True),
    ]


def test_run_stops_when_examples_were_lost() -> None:
    evaluation(0.9).require_examples(10)
    with pytest.raises(ComponentError, match='wrote 11 test examples'):
        evaluation(0.9).require_examples(11)
