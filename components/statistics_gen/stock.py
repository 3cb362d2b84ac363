"""TFX's executor of StatisticsGen, with the counts of this project."""

from __future__ import annotations

from typing import Any

from tfx.components.statistics_gen import executor
from tfx.types import artifact_utils, standard_component_specs

from components.statistics_gen.executor import require_all_counted, write_text_statistics


class StockExecutor(executor.Executor):
    """Writes TFX's statistics, and those of the texts that the report and the gate need."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the statistics, and check that they are those of all examples.

        After TFX's executor, the executor of this project reads the texts once more and
        writes `report/text_statistics.json`, see `text_statistics`.

        Raises:
            ComponentError: If the number of examples is not the one that ExampleGen wrote.
            DataError: If a split has no files.
        """
        super().Do(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY])
        statistics = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.STATISTICS_KEY]
        )
        splits = artifact_utils.decode_split_names(statistics.split_names)
        require_all_counted(examples, statistics.uri, splits)
        write_text_statistics(self._make_beam_pipeline(), examples, statistics.uri, splits)
