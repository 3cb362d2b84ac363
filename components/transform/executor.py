"""Transform's executor: computes the vocabulary, and writes the transform graph."""

from __future__ import annotations

import functools
import os
from typing import Any

import apache_beam as beam
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import impl_helper
from tensorflow_transform.tf_metadata import metadata_io, schema_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import transform_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, json_utils, proto_utils

from components.common import features
from components.common.atomic_write import clear_unfinished, unfinished_dir
from components.common.beam_jobs import run_beam_pipeline
from components.common.settings import TextSettings
from components.example_gen.artifact_files import split_files
from components.example_gen.summary import ExamplesSummary
from components.transform.preprocessing import SETTINGS_KEY, VOCABULARY_KEY, preprocessing_fn
from components.transform.vocabulary import WriteVocabulary

# So many reviews have some 2 million different words, which a worker holds in 300 MB.
_EXAMPLES_PER_PART = 1 << 24


class Executor(base_beam_executor.BaseBeamExecutor):
    """Counts words on Beam, then traces a preprocessing_fn without analyzers.

    TFX's executor traces such a function, too, unless it has assertions, as every
    function of a ragged tensor has. For these it builds a Beam pipeline of a hundred
    transforms that computes nothing.
    """

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Count the words of the splits to analyse, and write the transform graph.

        Raises:
            ComponentError: If not all examples were counted.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = json_utils.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        text = TextSettings.model_validate(config[SETTINGS_KEY])
        splits = transform_pb2.SplitsConfig()
        proto_utils.json_to_proto(
            exec_properties[standard_component_specs.SPLITS_CONFIG_KEY], splits
        )
        examples = artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY])
        files = [path for split in splits.analyze for path in split_files(examples, split)]
        graph = artifact_utils.get_single_uri(
            output_dict[standard_component_specs.TRANSFORM_GRAPH_KEY]
        )
        path = os.path.join(graph, '.temp_path', features.VOCABULARY_NAME)
        count_path = os.path.join(graph, '.temp_path', 'texts')
        summary = ExamplesSummary.read(examples)
        with run_beam_pipeline(self._make_beam_pipeline(), 'Transform') as pipeline:
            _ = (
                pipeline
                | 'Files' >> beam.Create(sorted(files), reshuffle=True)
                | 'Vocabulary'
                >> WriteVocabulary(
                    path,
                    count_path=count_path,
                    top_k=text.vocab_size - features.RESERVED_IDS,
                    min_count=text.min_word_count,
                    punctuation=text.punctuation,
                    parts=1 + sum(map(summary.examples, splits.analyze)) // _EXAMPLES_PER_PART,
                )
            )
        texts = 0
        if files:
            clear_unfinished(unfinished_dir(path), 'Transform')
            with fileio.open(count_path) as file:
                texts = int(file.read())
        summary.require('Transform', list(splits.analyze), texts)
        schema = artifact_utils.get_single_uri(input_dict[standard_component_specs.SCHEMA_KEY])
        write_graph(
            io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema)),
            {**config, VOCABULARY_KEY: path},
            graph,
        )
        # The graph has a copy of the file.
        fileio.rmtree(os.path.dirname(path))


def write_graph(
    schema: schema_pb2.Schema, custom_config: dict[str, Any], transform_graph: str
) -> None:
    """Write the graph of `preprocessing_fn`, with a copy of the vocabulary.

    Args:
        schema: The schema of the raw examples.
        custom_config: The configuration of `preprocessing_fn`.
        transform_graph: The folder to write, for `tft.TFTransformOutput`.
    """
    metadata_io.write_metadata(
        tft.DatasetMetadata(schema),
        os.path.join(transform_graph, tft.TFTransformOutput.RAW_METADATA_DIR),
    )
    specs = schema_utils.schema_as_feature_spec(schema).feature_spec
    impl_helper.analyze_in_place(
        functools.partial(preprocessing_fn, custom_config=custom_config),
        False,
        specs,
        impl_helper.get_type_specs_from_feature_specs(specs),
        transform_graph,
    )
