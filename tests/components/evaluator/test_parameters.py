"""Tests of the parameter of the node that has the settings of the gate."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from components.common.errors import ConfigError
from components.evaluator.parameters import read_gate, write_gate
from components.evaluator.settings import GateSettings


def gate(**fields: Any) -> GateSettings:
    return GateSettings(**{'min_accuracy': 0.8, 'max_accuracy_drop': 0.02, **fields})


@pytest.mark.parametrize(
    'built',
    [
        gate(),
        gate(min_accuracy=1e-9, max_accuracy_drop=0, min_auc=1, min_baseline_auc=0),
        gate(max_test_overlap_percent=0),
        gate(max_test_overlap_percent=100, min_baseline_auc=0.1),
        gate(max_accuracy_drop=0.123456789, slices={'1-10': 0.7, '401+': 1.0}),
        gate(slices={'a': {'recall': {'min': 0.7}}, 'a=ü, length': {}}, min_slice_examples=1),
        gate(bounds={'loss': {'max': 0.4}, 'calibration': {'min': 0.8, 'max': 1.2}}),
        gate(confidence=0.9, small_slices='refuse'),
    ],
    ids=repr,
)
def test_settings_are_unchanged_when_written_to_the_parameter_and_read(built: GateSettings) -> None:
    assert read_gate({'gate': write_gate(built, ['a:string'])})[0] == built


def test_only_columns_of_slices_are_in_the_parameter() -> None:
    columns = ['product:string', 'stars:int', 'price:float', 'other']
    built = gate(slices={'stars, length': {}, 'price': 0.7}, eval_config='/somewhere/a.json')
    parameter = write_gate(built, columns)
    assert read_gate({'gate': parameter})[1] == {'stars': 'int', 'price': 'float'}
    assert 'somewhere' not in parameter


@pytest.mark.parametrize(
    ('columns', 'message'),
    [
        (['product'], "^gate.slices: the column 'product' has no type in data.columns.features$"),
        (['stars:int'], "^gate.slices: the column 'product' is not one of data.columns.features$"),
    ],
)
def test_column_is_refused_when_its_type_is_not_known(columns: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        write_gate(gate(slices={'product': 0.7}), columns)
    assert 'product:TYPE' in caught.value.hint


@pytest.mark.parametrize(
    ('spoiled', 'message'),
    [
        ({'min_accuracy': None}, 'settings.min_accuracy: .*valid number, got None'),
        ({'min_accuracy': 0.0}, 'settings.min_accuracy: .*greater than 0, got 0.0'),
        ({'min_accuracy': math.nan}, 'settings.min_accuracy: .*finite number, got nan'),
        ({'max_accuracy_drop': 1.0}, 'settings.max_accuracy_drop: .*less than 1, got 1.0'),
        ({'min_auc': 0.5}, 'settings.min_auc: .*greater than 0.5, got 0.5'),
        ({'min_baseline_auc': -1.0}, 'settings.min_baseline_auc: .*or equal to 0, got -1.0'),
        ({'max_test_overlap_percent': 101.0}, 'max_test_overlap_percent: .*to 100, got 101.0'),
        ({'max_test_overlap_percent': math.nan}, 'settings.max_test_overlap_percent: .*, got nan'),
        ({'bounds': {'recall': {'max': 0.5}}}, "settings.bounds: 'recall' has no bound max"),
        ({'slices': {'1-10': -1.0}}, r'settings.slices: expected a bound in \(0, 1\]'),
        ({'unknown': 1}, 'settings.unknown: extra inputs are not permitted'),
    ],
    ids=str,
)
def test_parameter_is_refused_when_a_bound_is_missing_or_out_of_range(
    spoiled: dict[str, Any], message: str
) -> None:
    content = json.loads(write_gate(gate(), []))
    content['settings'] |= spoiled
    with pytest.raises(ConfigError, match=message):
        read_gate({'gate': json.dumps(content)})


@pytest.mark.parametrize('missing', ['min_accuracy', 'max_accuracy_drop'])
def test_parameter_is_refused_when_it_lacks_a_bound(missing: str) -> None:
    content = json.loads(write_gate(gate(), []))
    del content['settings'][missing]
    with pytest.raises(ConfigError, match=f'settings.{missing}: field required'):
        read_gate({'gate': json.dumps(content)})


def test_bounds_of_the_run_replace_those_of_the_parameter() -> None:
    properties = {'gate': write_gate(gate(), []), 'min_auc': 0.9, 'min_baseline_auc': 0.1}
    assert read_gate(properties)[0] == gate(min_auc=0.9, min_baseline_auc=0.1)
    # The others are those of the configuration of the user's.
    assert read_gate(properties, is_of_user=True)[0] == gate(min_baseline_auc=0.1)
