"""The settings of the gate: which bounds and slices are accepted, and what is said of others."""

from __future__ import annotations

import math
from typing import Any

import pydantic
import pytest

from components.common import features
from components.common.errors import ConfigError
from components.evaluator.bounds import Bound
from components.evaluator.settings import GateSettings
from components.evaluator.slice_patterns import parse_slice
from pipeline.settings.config import load_config

GATE = {'min_accuracy': 0.8, 'max_accuracy_drop': 0.01}
# The bounds that each metric can have, each at the ends of its range, and just beyond them.
_NEXT = math.nextafter
_SHARE = {
    'min': ([1e-9, 1], [0, -0.1, _NEXT(1, 2)]),
    'max_drop': ([0, _NEXT(1, 0)], [-0.1, 1]),
}
_METRICS: dict[str, dict[str, tuple[list[float], list[float]]]] = {
    'balanced_accuracy': _SHARE,
    'auc_precision_recall': _SHARE,
    'precision': _SHARE,
    'recall': _SHARE,
    'f1': _SHARE,
    'specificity': _SHARE,
    'auc': {'max_drop': _SHARE['max_drop']},
    'loss': {'max': ([0, 100], [-0.1]), 'max_rise': ([0, 100], [-0.1])},
    'expected_calibration_error': {
        'max': ([0, 0.99], [-0.1, 1]),
        'max_rise': ([0, 0.99], [-0.1, 1]),
    },
    'calibration': {'min': ([1e-9, 2], [0]), 'max': ([0, 2], [-0.1])},
}
_FIELDS = ('min', 'max', 'max_drop', 'max_rise')


def gate(**settings: Any) -> GateSettings:
    return GateSettings.model_validate(GATE | settings)


@pytest.mark.parametrize('missing', ['min_accuracy', 'max_accuracy_drop'])
def test_gate_is_refused_when_it_lacks_a_bound(missing: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=rf'(?s){missing}.*Field required'):
        GateSettings.model_validate({k: v for k, v in GATE.items() if k != missing})


def test_gate_accepts_slices_when_all_are_length_buckets() -> None:
    slices = dict.fromkeys(features.LENGTH_BUCKETS, 0.7) | {'401+': 1.0}
    assert gate(slices=slices).slices == slices
    assert gate().slices == {}


@pytest.mark.parametrize(
    ('slices', 'message'),
    [
        ({'1-11': 0.7}, r"expected a slice of 1-10, 11-50, .*401\+, or COLUMN, .*got '1-11'"),
        ({'length=1-11': 0.7}, r"expected a slice of 1-10, 11-50, .*401\+, got '1-11'"),
        ({'product=': 0.7}, "COLUMN=VALUE, .*got 'product='"),
        ({'': 0.7}, "COLUMN=VALUE, .*got ''"),
        ({'a, b=2, length': {}}, "expected one or two columns for a slice, got 3 in 'a, b=2"),
        ({'a=1, a=2': {}}, "'a=1, a=2' names the column 'a' twice"),
        ({'1-10': 0.7, 'length=1-10': {}}, "'1-10' and 'length=1-10' are the same slice"),
        ({'a, b': {}, 'b,a': {}}, "'a, b' and 'b,a' are the same slice"),
        ({'1-10': 0.0}, r"expected a bound in \(0, 1\] for the slice '1-10', got 0.0"),
        ({'1-10': 0.7, '401+': 1.01}, r"in \(0, 1\] for the slice '401\+', got 1.01"),
        ({'a': -0.7}, 'expected a bound in'),
        ({'1-10': math.nan}, r'slices.1-10.number\n.*finite number'),
        ({'1-10': 'high'}, r'slices.1-10.number\n.*valid number'),
        ({'a': {'recall': 0.7}}, r'slices.a.metrics.recall\n.*valid dictionary'),
        (
            {'a': {'recal': {'min': 0.7}}},
            "slice 'a': .*no metric 'recal' to bound: did you mean recall",
        ),
        ({'a': {'loss': {'min': 0.7}}}, "slice 'a': 'loss' has no bound min: .*max, max_rise"),
    ],
)
def test_gate_is_refused_when_a_slice_is_unknown_or_its_bound_out_of_range(
    slices: dict[str, Any], message: str
) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        gate(slices=slices)


@pytest.mark.parametrize(
    ('key', 'name', 'columns'),
    [
        ('401+', 'length=401+', ('length',)),
        ('length', 'length', ('length',)),
        ('product', 'product', ('product',)),
        ('product = Tea, 100 g ', 'product=Tea, 100 g', ('product',)),
        ('product=a=b', 'product=a=b', ('product',)),
        ('product,length=1-10', 'length=1-10, product', ('length', 'product')),
        ('stars=-1, product=x', 'product=x, stars=-1', ('product', 'stars')),
    ],
)
def test_slice_is_parsed_when_it_names(key: str, name: str, columns: tuple[str, ...]) -> None:
    pattern = parse_slice(key)
    assert (pattern.name, pattern.columns) == (name, columns)
    assert gate(slices={key: {}}).slice_columns() == set(columns) - {'length'}


@pytest.mark.parametrize(
    ('metric', 'field', 'value'),
    [(m, f, v) for m, fields in _METRICS.items() for f, (good, _) in fields.items() for v in good],
)
def test_bound_is_accepted_when_it_is_in_the_range_of_its_metric(
    metric: str, field: str, value: float
) -> None:
    bounds = {metric: {field: value}}
    assert gate(bounds=bounds).bounds == {metric: Bound(**{field: value})}
    assert gate(bounds=bounds).model_dump()['bounds'] == bounds
    assert gate(slices={'1-10': bounds}).slices == {'1-10': {metric: Bound(**{field: value})}}


@pytest.mark.parametrize(
    ('metric', 'field', 'value'),
    [(m, f, v) for m, fields in _METRICS.items() for f, (_, bad) in fields.items() for v in bad],
)
def test_bound_is_refused_when_it_is_out_of_the_range_of_its_metric(
    metric: str, field: str, value: float
) -> None:
    with pytest.raises(pydantic.ValidationError, match=f"'{metric}': expected {field} in [[(]0, "):
        gate(bounds={metric: {field: value}})


@pytest.mark.parametrize(
    ('metric', 'field'),
    [(m, f) for m, fields in _METRICS.items() for f in _FIELDS if f not in (*fields, 'min')]
    + [('loss', 'min'), ('expected_calibration_error', 'min')],
)
def test_bound_is_refused_when_it_makes_no_sense_for_the_metric(metric: str, field: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=f"'{metric}' has no bound {field}: expec"):
        gate(bounds={metric: {field: 0.5}})


@pytest.mark.parametrize(
    ('bounds', 'message'),
    [
        ({'recal': {'min': 0.7}}, "there is no metric 'recal' to bound: did you mean recall"),
        (
            {'xyz': {'min': 0.7}},
            "there is no metric 'xyz' to bound: the metrics are accuracy, loss",
        ),
        ({'accuracy': {'min': 0.7}}, "min of 'binary_accuracy' is the setting min_accuracy"),
        ({'accuracy': {'max_drop': 0.1}}, 'is the setting max_accuracy_drop: use that'),
        ({'auc': {'min': 0.7}}, "min of 'auc' is the setting min_auc: use that"),
        ({'example_count': {'min': 5}}, "no metric 'example_count' to bound: the metrics are acc"),
        ({'test_overlap_percent': {'max': 5}}, "there is no metric 'test_overlap_percent' to b"),
        ({'baseline_auc': {'min': 0.5}}, "there is no metric 'baseline_auc' to bound"),
        ({'recall': {}}, "'recall' has no bound: expected one of min, max_drop"),
        ({'recall': {'least': 0.7}}, r'bounds.recall.least\n.*not permitted'),
        ({'recall': {'min': math.nan}}, r'bounds.recall.min\n.*finite number'),
        ({'recall': 0.7}, r'bounds.recall\n.*valid dictionary'),
        ({'calibration': {'min': 1.2, 'max': 1.1}}, "'calibration': expected min below max"),
    ],
)
def test_gate_is_refused_when_a_bound(bounds: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        gate(bounds=bounds)


def test_metric_is_named_twice_when_it_has_two_names() -> None:
    bounds = {'accuracy': {'min': 0.7}, 'binary_accuracy': {'min': 0.8}}
    with pytest.raises(pydantic.ValidationError, match="'binary_accuracy' is named twice"):
        gate(slices={'a': bounds})


def test_overall_bounds_are_those_of_all_settings() -> None:
    found = gate(bounds={'auc': {'max_drop': 0.1}, 'loss': {'max': 0.4}}).overall_bounds()
    assert {metric: bound.fields() for metric, bound in found.items()} == {
        'binary_accuracy': {'min': 0.8, 'max_drop': 0.01},
        'auc': {'min': 0.7, 'max_drop': 0.1},
        'loss': {'max': 0.4},
    }


def test_run_is_refused_when_a_slice_is_of_no_feature_column() -> None:
    settings = ['data.columns.features=[product]', 'gate.slices={"length, product": {}}']
    assert load_config(data='a.csv', settings=settings).gate.slice_columns() == {'product'}
    for slices, message in (
        ('{"produkt": 0.7}', "^gate.slices: 'produkt' is not one of data.*; did you mean product"),
        ('{"product, stars=5": {}}', "^gate.slices: 'stars' is not one of data.columns.features$"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_config(data='a.csv', settings=[settings[0], f'gate.slices={slices}'])
    with pytest.raises(ConfigError, match="^gate.bounds: there is no metric 'recal' to bound: did"):
        load_config(data='a.csv', settings=['gate.bounds={"recal": {"min": 0.7}}'])
