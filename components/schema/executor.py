"""SchemaGen's executor: writes the schema, whose text is a parameter of the node."""

from __future__ import annotations

import posixpath
from typing import Any

from tfx.components.schema_gen.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils

SCHEMA_TEXT_KEY = 'schema_text'


class Executor(base_executor.BaseExecutor):
    """Imports a schema by its content.

    TFX's executor takes a path, which a container elsewhere cannot read.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the text into the Schema artifact."""
        self._log_startup(input_dict, output_dict, exec_properties)
        uri = artifact_utils.get_single_uri(output_dict[standard_component_specs.SCHEMA_KEY])
        io_utils.write_string_file(
            posixpath.join(uri, DEFAULT_FILE_NAME), exec_properties[SCHEMA_TEXT_KEY]
        )
