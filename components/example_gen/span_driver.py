"""Finds the newest spans before the lookup in ExampleGen's cache.

TFX's driver takes one span, and only if its name has no leading zeros. So this
driver finds the spans, and passes plain patterns to TFX's driver, an input split
for each span: TFX fingerprints all of their files for the cache.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfx.components.example_gen import driver, utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.example_gen import spans
from components.example_gen.summary import SPANS_PROPERTY

_INPUT_CONFIG = standard_component_specs.INPUT_CONFIG_KEY
_RANGE_CONFIG = standard_component_specs.RANGE_CONFIG_KEY


class Window(NamedTuple):
    """The spans that a run reads.

    Attributes:
        input_config: TFX's Input, as JSON, with an input split for each span.
        newest: The newest of them.
        description: All of them, for people to read.
    """

    input_config: str
    newest: spans.Span
    description: str


def find_window(parameters: Mapping[str, Any]) -> Window:
    """Find the newest spans of the data.

    Args:
        parameters: `input_base`, `input_config` and `range_config` of ExampleGen.

    Raises:
        DataError: If there is no span, or the names of files are ambiguous.
    """
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(parameters[_INPUT_CONFIG], config)
    range_config = range_config_pb2.RangeConfig()
    proto_utils.json_to_proto(parameters[_RANGE_CONFIG], range_config)
    (split,) = config.splits
    base = parameters[standard_component_specs.INPUT_BASE_KEY]
    paths = fileio.glob(posixpath.join(base, spans.glob_of(split.pattern)))
    found = spans.newest(split.pattern, paths, range_config.rolling_range.num_spans, folder=base)
    resolved = example_gen_pb2.Input(
        splits=[
            example_gen_pb2.Input.Split(name=f'{split.name}-{span.number}', pattern=span.pattern)
            for span in found
        ]
    )
    return Window(proto_utils.proto_to_json(resolved), found[-1], spans.describe(found))


class Driver(driver.FileBasedDriver):
    """ExampleGen's driver for local runs."""

    def resolve_exec_properties(
        self, exec_properties: dict[str, Any], pipeline_info: Any, component_info: Any
    ) -> dict[str, Any]:
        """Add the fingerprint of the data, for the executor and for the cache key."""
        window = find_window(exec_properties)
        # TFX's driver refuses a range if no pattern has a placeholder.
        range_config = exec_properties.pop(_RANGE_CONFIG)
        exec_properties[_INPUT_CONFIG] = window.input_config
        resolved = super().resolve_exec_properties(exec_properties, pipeline_info, component_info)
        return {
            **resolved,
            _RANGE_CONFIG: range_config,
            utils.SPAN_PROPERTY_NAME: window.newest.number,
            utils.VERSION_PROPERTY_NAME: window.newest.version,
            SPANS_PROPERTY: window.description,
        }

    def run(self, execution_info: Any) -> Any:
        """Resolve the parameters, and record the spans in the examples' properties."""
        result = super().run(execution_info)
        (artifact,) = result.output_artifacts[standard_component_specs.EXAMPLES_KEY].artifacts
        description = result.exec_properties[SPANS_PROPERTY].string_value
        artifact.custom_properties[SPANS_PROPERTY].string_value = description
        return result
