"""ExampleValidator's executor: fails if the statistics do not fit the schema."""

from __future__ import annotations

from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.components.example_validator import executor
from tfx.types import artifact_utils, standard_component_specs

from components.common import features
from components.common.errors import DataError

_MAX_SHOWN = 5


class Executor(executor.Executor):
    """TFX's executor, except that an anomaly fails the node.

    TFX's executor records anomalies and succeeds, so that a model would be
    trained and evaluated on data that does not fit the schema.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> Any:
        """Write the anomalies of each split.

        Raises:
            DataError: If there are any; the message describes them.
        """
        statistics = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.STATISTICS_KEY]
        )
        splits = artifact_utils.decode_split_names(statistics.split_names)
        self._splits = iter(splits)  # in the order in which the base class validates them
        self._found: list[anomalies_pb2.Anomalies] = []
        output = super().Do(input_dict, output_dict, exec_properties)
        raise_anomalies(dict(zip(splits, self._found)))
        return output

    def _Validate(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> anomalies_pb2.Anomalies:
        if next(self._splits) == features.UNLABELLED_SPLIT:
            schema = without_label(inputs[standard_component_specs.SCHEMA_KEY])
            inputs = {**inputs, standard_component_specs.SCHEMA_KEY: schema}
        anomalies = super()._Validate(inputs, outputs)
        self._found.append(anomalies)
        return anomalies


def without_label(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """Return the schema of examples without a label."""
    unlabelled = schema_pb2.Schema()
    unlabelled.CopyFrom(schema)
    for index, feature in enumerate(unlabelled.feature):
        if feature.name == features.LABEL_KEY:
            del unlabelled.feature[index]
            break
    return unlabelled


def raise_anomalies(found: dict[str, anomalies_pb2.Anomalies]) -> None:
    """Raise a DataError that lists the anomalies by split, if there are any."""
    lines = [f'{split}: {line}' for split, proto in found.items() for line in describe(proto)]
    if lines:
        more = len(lines) - _MAX_SHOWN
        shown = '; '.join(lines[:_MAX_SHOWN]) + (f'; and {more} more' if more > 0 else '')
        raise DataError(
            f'the data does not fit the schema: {shown}',
            hint='correct the data, or set a schema that allows it (--set data.schema_file=PATH)',
        )


def describe(anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """Describe anomalies in one line each, those of features in the order of names."""
    lines = [
        f'feature {name!r}: {info.description.strip().rstrip(".")}'
        for name, info in sorted(anomalies.anomaly_info.items())
    ]
    if anomalies.data_missing:
        lines.append('there are no examples')
    if anomalies.HasField('dataset_anomaly_info'):
        lines.append(anomalies.dataset_anomaly_info.description.strip().rstrip('.'))
    return lines
