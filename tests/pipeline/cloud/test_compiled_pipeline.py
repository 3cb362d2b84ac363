from __future__ import annotations

import annotated_types
import pytest

from components.common.errors import ConfigError
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Parameter

PARAMETERS = (
    Parameter(
        name='epochs',
        default=10,
        description='passes over the data',
        limits=(annotated_types.Ge(1), annotated_types.Le(100)),
    ),
    Parameter(name='learning_rate', default=0.1, description='step size'),
    Parameter(name='data_folder', default='gs://b/d', description='the data'),
)
PIPELINE = CompiledPipeline(
    target='kubeflow',
    name='sentiment',
    pipeline_root='gs://b/r',
    spec={'schemaVersion': '2.1.0', 'text': 'one\ntwo: Ü\n', 'numbers': [1, 2.0, '1']},
    parameters={parameter.name: parameter for parameter in PARAMETERS},
)


def test_values_have_their_types_when_they_are_assigned() -> None:
    values = PIPELINE.parameter_values(['epochs=3', ' data_folder=gs://b/x=y'])
    assert values == {'epochs': 3, 'learning_rate': 0.1, 'data_folder': 'gs://b/x=y'}
    assert type(PIPELINE.parameter_values(['learning_rate=1'])['learning_rate']) is float


@pytest.mark.parametrize(
    ('assignment', 'message', 'hint'),
    [
        ('epochs', "expected --param NAME=VALUE, got 'epochs'", 'epochs, learning_rate'),
        ('x=3', "no run-time parameter 'x'", 'epochs, learning_rate, data_folder'),
        ('epochs=many', "^--param epochs: .*integer.*, got 'many'$", 'passes over'),
        ('epochs=2.5', "epochs: .*integer.*, got '2.5'", 'passes over'),
        ('epochs=0', "epochs: .*greater than or equal to 1, got '0'", 'passes over'),
        ('epochs=101', "epochs: .*less than or equal to 100, got '101'", 'passes over'),
        ('learning_rate=nan', "learning_rate: .*finite number, got 'nan'", 'step size'),
        ('learning_rate=', "learning_rate: .*number.*, got ''", 'step size'),
        ('data_folder=', "data_folder: .*at least 1 character, got ''", 'the data'),
    ],
)
def test_assignment_is_refused_when_it_is_invalid(assignment: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        PIPELINE.parameter_values([assignment])
    assert hint in caught.value.hint


def test_assignment_is_refused_when_it_is_repeated() -> None:
    with pytest.raises(ConfigError, match='epochs: expected once, got it twice') as caught:
        PIPELINE.parameter_values(['epochs=1', 'epochs=2'])
    assert 'remove one' in caught.value.hint


def test_yaml_is_sorted_and_readable_when_it_is_for_kubeflow() -> None:
    assert PIPELINE.text() == (
        "numbers:\n- 1\n- 2.0\n- '1'\nschemaVersion: 2.1.0\ntext: |\n  one\n  two: Ü\n"
    )
