"""Tests of a TFMA configuration of the user's: how it is read, completed and refused."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_model_analysis.proto import config_pb2

from components.common.errors import ConfigError
from components.evaluator.tfma.user_config import load_eval_config
from tests.conftest import REPO

EXAMPLE = REPO / 'examples' / 'eval_config.json'
LOWEST = {'value_threshold': {'lower_bound': 0.7}}
AUC = {'class_name': 'AUC', 'threshold': LOWEST}


def of_metric(**metric: Any) -> dict[str, Any]:
    return {'metrics_specs': [{'metrics': [metric]}]}


def load(content: dict[str, Any] | str, folder: pathlib.Path) -> config_pb2.EvalConfig:
    file = folder / 'eval_config.txt'
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return load_eval_config(str(file))


def test_configuration_is_completed_when_it_has_metrics_only(tmp_path: pathlib.Path) -> None:
    config = load(of_metric(**AUC), tmp_path)
    (model,) = config.model_specs
    assert (model.signature_name, model.prediction_key, model.label_key, model.model_type) == (
        'serving_default',
        'probability',
        'label',
        'tf_generic',
    )
    assert list(config.slicing_specs) == [config_pb2.SlicingSpec()]


def test_text_proto_equals_json_and_own_fields_are_kept(tmp_path: pathlib.Path) -> None:
    content = of_metric(**AUC)
    content['model_specs'] = [{'label_key': 'stars', 'example_weight_key': 'weight'}]
    content['slicing_specs'] = [{'feature_keys': ['product']}]
    config = load(content, tmp_path)
    assert load(text_format.MessageToString(config), tmp_path) == config
    assert config.model_specs[0].label_key == 'stars'
    assert config.model_specs[0].example_weight_key == 'weight'
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[], ['product']]
    assert load_eval_config(str(EXAMPLE)).metrics_specs


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'Failed to load JSON'),
        ('metric_specs {}', 'no field named "metric_specs"'),
        ({'metrics': []}, 'no field named "metrics"'),
        ({}, 'expected a value_threshold: nothing is blessed without a bound'),
        (of_metric(class_name='AUC'), 'expected a value_threshold'),
        (of_metric(class_name='Auk', threshold=LOWEST), "Unknown metric function: 'Auk'"),
        (of_metric(class_name='F', module='nowhere'), "No module named 'nowhere'"),
        (of_metric(**AUC, config='{"bins": 3}'), "unexpected keyword argument 'bins'"),
        (of_metric(class_name='AUC', threshold={'value_threshold': {}}), "of 'auc' has no bound"),
        (
            of_metric(
                class_name='AUC', threshold={**LOWEST, 'change_threshold': {'absolute': -0.1}}
            ),
            "change_threshold of 'auc' has no direction",
        ),
        (
            # No model would be the first one.
            of_metric(
                class_name='AUC',
                threshold={'change_threshold': {'absolute': 0, 'direction': 'HIGHER_IS_BETTER'}},
            ),
            'expected a value_threshold',
        ),
        (
            {'metrics_specs': [{'metrics': [AUC], 'thresholds': {'f1': LOWEST}}]},
            "there is no metric 'f1' for a threshold",
        ),
        ({**of_metric(**AUC), 'model_specs': [{}, {}]}, 'at most one model_spec'),
        ({'metrics_specs': [{'metrics': [AUC], 'model_names': ['a']}]}, 'no model_names'),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else '',
)
def test_error_is_clear_when_the_configuration(
    content: dict[str, Any] | str, message: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ConfigError, match=r'^gate\.eval_config: .*eval_config\.txt') as caught:
        load(content, tmp_path)
    assert message in str(caught.value)
    assert 'examples/eval_config.json' in caught.value.hint


def test_error_is_clear_when_there_is_no_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match='none.json is not usable: .*No such file'):
        load_eval_config(str(tmp_path / 'none.json'))
