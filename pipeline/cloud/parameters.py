"""Which settings a run of a compiled pipeline may change, and in which node they take effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.common.overrides import GATE_OVERRIDES, TRAINER_OVERRIDES
from components.common.settings import GateSettings, Settings, TrainerSettings
from components.example_gen.sources import DataSource
from pipeline.cloud.compiled import Parameter, ParameterKind
from pipeline.settings.config import PipelineConfig

DATA_FOLDER = 'data_folder'

_KINDS: Mapping[type, ParameterKind] = {int: 'integer', float: 'number', str: 'string'}
# A parameter that the model does not read would be taken and have no effect.
_NOT_READ_BY = {'tutorial': {'svm_cost'}, 'ngram': {'epochs', 'learning_rate'}}


def run_time_parameters(
    config: PipelineConfig, source: DataSource
) -> dict[str, dict[str, Parameter]]:
    """List the run-time parameters by node and by execution parameter there.

    They are few: what people tune, what the gate demands, and where the data
    is. All else is compiled in, so that the specification says what runs.

    Args:
        config: The settings, for the defaults.
        source: The data, for its folder.
    """
    ignored = _NOT_READ_BY.get(config.trainer.architecture, set())
    return {
        'ExampleGen': {
            'input_base': Parameter(
                name=DATA_FOLDER,
                kind='string',
                default=source.input_base,
                description='folder of the data; the file names in it stay as compiled',
            )
        },
        'Trainer': {
            name: _of_setting(config.trainer, TrainerSettings, name)
            for name in TRAINER_OVERRIDES
            if name not in ignored
        },
        'Evaluator': {
            name: _of_setting(config.gate, GateSettings, name) for name in GATE_OVERRIDES
        },
    }


def _of_setting(settings: Settings, model: type[Settings], name: str) -> Parameter:
    field = model.model_fields[name]
    kind: Any = field.annotation
    return Parameter(
        name=name,
        kind=_KINDS[kind],
        default=kind(getattr(settings, name)),
        description=field.description or name,
        limits=tuple(field.metadata),
    )
