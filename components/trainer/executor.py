"""The Trainer's executor, which applies the settings that a run overrides."""

from __future__ import annotations

from typing import Any

from tfx.components.trainer import executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.common.overrides import TRAINER_OVERRIDES, apply_overrides
from components.trainer.run import TRAINER_KEY
from components.trainer.settings import TrainerSettings
from components.user_module.source import RAW_EXAMPLES_KEY


class Executor(executor.GenericExecutor):
    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Run `run_fn` with the settings of this run."""
        key = standard_component_specs.CUSTOM_CONFIG_KEY
        config = json_utils.loads(exec_properties[key])
        settings = TrainerSettings.model_validate(config[TRAINER_KEY])
        model = apply_overrides(settings.model, exec_properties, settings.model.run_time_settings)
        settings = settings.model_copy(update={'model': model})
        settings = apply_overrides(settings, exec_properties, TRAINER_OVERRIDES)
        config[TRAINER_KEY] = settings.model_dump()
        if RAW_EXAMPLES_KEY in input_dict:
            config[RAW_EXAMPLES_KEY] = artifact_utils.get_single_uri(input_dict[RAW_EXAMPLES_KEY])
        super().Do(input_dict, output_dict, {**exec_properties, key: json_utils.dumps(config)})
