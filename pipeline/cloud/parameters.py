"""Run-time parameters: settings that a run can change without a new compilation."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import pydantic

from components.common.errors import ConfigError
from components.common.overrides import GATE_OVERRIDES, SAFEGUARD_OVERRIDES, TRAINER_OVERRIDES
from components.common.settings import Settings
from components.example_gen.sources import DataSource
from pipeline.settings.config import PipelineConfig

Value = str | int | float

DATA_FOLDER = 'data_folder'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """A run-time parameter.

    Attributes:
        name: Name for `--param`.
        default: Value if a run does not set it. All values have its type.
        description: One line.
        limits: Bounds, as in the metadata of the setting's pydantic field.
    """

    name: str
    default: Value
    description: str
    limits: tuple[Any, ...] = ()

    def parse(self, text: str) -> Value:
        """Return the value of a text from the command line.

        Raises:
            ConfigError: If the text has another type, is empty, or is out of range.

        Example:
            >>> Parameter(name='seed', default=1, description='').parse('7')
            7
        """
        kind: Any = type(self.default)
        if self.limits:
            annotated: Any = Annotated
            parts = (kind, *self.limits)
            kind = annotated[parts]
        try:
            value: Value = pydantic.TypeAdapter(
                kind, config=pydantic.ConfigDict(allow_inf_nan=False, str_min_length=1)
            ).validate_python(text)
        except pydantic.ValidationError as err:
            reason = err.errors()[0]['msg']
            raise ConfigError(
                f'--param {self.name}: {reason[:1].lower()}{reason[1:]}, got {text!r}',
                hint=f'for example --param {self.name}={self.default}: {self.description}',
            ) from err
        return value


def run_time_parameters(
    config: PipelineConfig, source: DataSource
) -> dict[str, dict[str, Parameter]]:
    """Return the run-time parameters by node and by execution parameter.

    There are few: training parameters, the bounds of the gate, and the folder of the data.
    All other settings are compiled in.

    Args:
        config: The settings, which are the defaults.
        source: The data, which has the default folder.
    """
    model = config.trainer.model
    # A configuration of the user's has all other bounds.
    bounds = SAFEGUARD_OVERRIDES if config.gate.eval_config else GATE_OVERRIDES
    return {
        'ExampleGen': {
            'input_base': Parameter(
                name=DATA_FOLDER,
                default=source.input_base,
                description='folder of the data; the file names in it stay as compiled',
            )
        },
        'Trainer': {
            **{name: _of_setting(model, name) for name in model.run_time_settings},
            **{name: _of_setting(config.trainer, name) for name in TRAINER_OVERRIDES},
        },
        'Evaluator': {name: _of_setting(config.gate, name) for name in bounds},
    }


def _of_setting(settings: Settings, name: str) -> Parameter:
    field = type(settings).model_fields[name]
    kind: Any = field.annotation
    return Parameter(
        name=name,
        default=kind(getattr(settings, name)),
        description=field.description or name,
        limits=tuple(field.metadata),
    )
