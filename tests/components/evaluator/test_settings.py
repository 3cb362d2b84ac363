from __future__ import annotations

import math
from typing import Any

import pydantic
import pytest

from components.common import features
from components.evaluator.settings import GateSettings

GATE = {'min_accuracy': 0.8, 'max_accuracy_drop': 0.01}


@pytest.mark.parametrize('missing', ['min_accuracy', 'max_accuracy_drop'])
def test_gate_is_refused_when_it_lacks_a_bound(missing: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=rf'(?s){missing}.*Field required'):
        GateSettings.model_validate({k: v for k, v in GATE.items() if k != missing})


def test_gate_accepts_slices_when_all_are_length_buckets() -> None:
    slices = dict.fromkeys(features.LENGTH_BUCKETS, 0.7) | {'401+': 1.0}
    assert GateSettings.model_validate(GATE | {'slices': slices}).slices == slices
    assert GateSettings.model_validate(GATE).slices == {}


@pytest.mark.parametrize(
    ('slices', 'message'),
    [
        ({'1-11': 0.7}, r"expected a slice of 1-10, 11-50, .*401\+, got '1-11'"),
        ({'1-10': 0.7, 'long': 0.7}, "expected a slice of .*, got 'long'"),
        ({'1-10': 0.0}, r"expected a bound in \(0, 1\] for the slice '1-10', got 0.0"),
        ({'1-10': 0.7, '401+': 1.01}, r"in \(0, 1\] for the slice '401\+', got 1.01"),
        ({'1-10': -0.7}, 'expected a bound in'),
        ({'1-10': math.nan}, r'1-10'),
        ({'1-10': 'high'}, r'1-10'),
    ],
)
def test_gate_is_refused_when_a_slice_is_unknown_or_its_bound_out_of_range(
    slices: dict[str, Any], message: str
) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        GateSettings.model_validate(GATE | {'slices': slices})
