"""Transform's executors: TFX's own, and one that counts the words of vocabularies faster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from tfx.components.transform import executor, executor_utils, labels
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import import_utils, io_utils

from components.beam_jobs.run import run_beam_pipeline
from components.common.atomic_write import clear_unfinished, unfinished_dir
from components.common.word_counts import number_of_parts
from components.example_gen.artifact_files import split_files
from components.example_gen.summary import ExamplesSummary
from components.transform.properties import STOCK_REASON_PROPERTY
from components.transform.vocabulary import (
    Vocabulary,
    WordGraph,
    WriteExampleCount,
    WriteVocabularies,
    WrittenVocabulary,
)

if TYPE_CHECKING:
    from components.transform.tracing import TracedFunction

# Folder in the transform graph for temporary files, which TFX's executor also uses.
_TEMP_DIR = '.temp_path'
# Execution parameters that only TFX's executor understands.
_STOCK_PARAMETERS = (
    standard_component_specs.MODULE_FILE_KEY,
    standard_component_specs.MODULE_PATH_KEY,
    standard_component_specs.STATS_OPTIONS_UPDATER_FN_KEY,
    standard_component_specs.FORCE_TF_COMPAT_V1_KEY,
    standard_component_specs.SAVE_OPTIONS_KEY,
)


class StockExecutor(executor.Executor):
    """TFX's executor, which also requires that all examples are read and transformed."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Run TFX's executor.

        Raises:
            ComponentError: If there are not as many examples, or transformed ones, as
                ExampleGen wrote.
        """
        self._run_stock(input_dict, output_dict, exec_properties, 'executors=stock')

    def _run_stock(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
        reason: str,
    ) -> None:
        (transform_graph,) = output_dict[standard_component_specs.TRANSFORM_GRAPH_KEY]
        all_examples = input_dict[standard_component_specs.EXAMPLES_KEY]
        config = _splits_config(exec_properties, all_examples)
        temp_dir = os.path.join(transform_graph.uri, _TEMP_DIR)
        for examples in all_examples:
            splits = sorted({*config.analyze, *config.transform})
            count = self._count(examples.uri, splits, temp_dir)
            ExamplesSummary.read(examples.uri).require('Transform', splits, count)
        super().Do(input_dict, output_dict, exec_properties)
        transformed = output_dict.get(standard_component_specs.TRANSFORMED_EXAMPLES_KEY, [])
        for raw, written in zip(all_examples, transformed):
            count = self._count(written.uri, config.transform, temp_dir)
            ExamplesSummary.read(raw.uri).require('Transform', config.transform, count)
        if fileio.exists(temp_dir):
            fileio.rmtree(temp_dir)
        transform_graph.set_string_custom_property(STOCK_REASON_PROPERTY, reason)

    def _count(self, examples: str, splits: Sequence[str], temp_dir: str) -> int:
        files = [path for split in splits for path in split_files(examples, split)]
        path = os.path.join(temp_dir, 'examples')
        with run_beam_pipeline(self._make_beam_pipeline(), 'Transform') as pipeline:
            _ = (
                pipeline
                | 'Files' >> beam.Create(files, reshuffle=True)
                | 'Count' >> WriteExampleCount(path)
            )
        clear_unfinished(unfinished_dir(path), 'Transform')
        with fileio.open(path) as file:
            return int(file.read())


class Executor(StockExecutor):
    """Counts the words of vocabularies file by file, and leaves all other analyzers to TFX."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the transform graph, and let TFX's executor do it where more is wanted.

        Raises:
            ComponentError: If there are not as many examples as ExampleGen wrote.
        """
        (transform_graph,) = output_dict[standard_component_specs.TRANSFORM_GRAPH_KEY]
        temp_dir = os.path.join(transform_graph.uri, _TEMP_DIR)
        reason = _stock_reason(input_dict, output_dict, exec_properties)
        traced = None
        if reason is None:
            traced, reason = _trace(input_dict, exec_properties, temp_dir)
        if traced is None:
            self._run_stock(input_dict, output_dict, exec_properties, reason or '')
            return
        self._log_startup(input_dict, output_dict, exec_properties)
        (examples,) = input_dict[standard_component_specs.EXAMPLES_KEY]
        splits = list(_splits_config(exec_properties, [examples]).analyze)
        written = {}
        if traced.word_graph is not None:
            written = self._write_vocabularies(
                examples.uri,
                splits,
                temp_dir,
                traced.word_graph,
                list(traced.vocabularies.values()),
            )
        traced.write(transform_graph.uri, temp_dir, written)
        if fileio.exists(temp_dir):
            # The graph has copies of the vocabularies.
            fileio.rmtree(temp_dir)
        transform_graph.set_string_custom_property(STOCK_REASON_PROPERTY, '')

    def _write_vocabularies(
        self,
        examples: str,
        splits: Sequence[str],
        folder: str,
        word_graph: WordGraph,
        vocabularies: Sequence[Vocabulary],
    ) -> dict[str, WrittenVocabulary]:
        files = [path for split in splits for path in split_files(examples, split)]
        paths = {os.path.join(folder, vocabulary.name): vocabulary for vocabulary in vocabularies}
        summary = ExamplesSummary.read(examples)
        with run_beam_pipeline(self._make_beam_pipeline(), 'Transform') as pipeline:
            _ = (
                pipeline
                | 'Files' >> beam.Create(sorted(files), reshuffle=True)
                | 'Vocabularies'
                >> WriteVocabularies(
                    word_graph,
                    paths,
                    parts=number_of_parts(sum(map(summary.examples, splits))),
                )
            )
        if not files:
            summary.require('Transform', splits, 0)
        clear_unfinished(unfinished_dir(next(iter(paths))), 'Transform')
        written = {paths[path].name: WrittenVocabulary.read(path) for path in paths}
        for vocabulary in written.values():
            summary.require('Transform', splits, vocabulary.examples)
        return written


def _stock_reason(
    input_dict: dict[str, list[Any]],
    output_dict: dict[str, list[Any]],
    exec_properties: dict[str, Any],
) -> str | None:
    """Return why only TFX's executor can do what is wanted, None if nothing is known yet."""
    all_examples = input_dict[standard_component_specs.EXAMPLES_KEY]
    caches = (
        input_dict.get(standard_component_specs.ANALYZER_CACHE_KEY),
        output_dict.get(standard_component_specs.UPDATED_ANALYZER_CACHE_KEY),
    )
    reasons = {
        **{f'{key} is set': exec_properties.get(key) for key in _STOCK_PARAMETERS},
        'transformed examples are wanted': output_dict.get(
            standard_component_specs.TRANSFORMED_EXAMPLES_KEY
        ),
        'statistics are wanted': not exec_properties.get(
            standard_component_specs.DISABLE_STATISTICS_KEY
        ),
        'the cache of analyzers is wanted': any(caches),
        'there are several artifacts of examples': len(all_examples) > 1,
        'the examples are not tf.Examples in gzipped TFRecord files': any(
            examples_utils.get_payload_format(examples) != example_gen_pb2.FORMAT_TF_EXAMPLE
            or examples_utils.get_file_format(examples) != 'tfrecords_gzip'
            for examples in all_examples
        ),
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _trace(
    input_dict: dict[str, list[Any]], exec_properties: dict[str, Any], temp_dir: str
) -> tuple[TracedFunction | None, str]:
    """Return the traced preprocessing_fn, or None and why it is left to TFX's executor."""
    try:
        from components.transform import tracing
    except ImportError as err:
        return None, str(err)
    function = executor_utils.MaybeBindCustomConfig(
        {
            labels.CUSTOM_CONFIG: exec_properties.get(standard_component_specs.CUSTOM_CONFIG_KEY),
        },
        # Unlike TFX's get_fn, it does not import an imported module again.
        import_utils.import_class_by_path(
            exec_properties[standard_component_specs.PREPROCESSING_FN_KEY]
        ),
    )
    schema = artifact_utils.get_single_uri(input_dict[standard_component_specs.SCHEMA_KEY])
    try:
        return tracing.trace(
            function, io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema)), temp_dir
        ), ''
    except tracing.UnknownAnalyzerError as err:
        return None, str(err)


def _splits_config(exec_properties: dict[str, Any], examples: list[Any]) -> Any:
    return executor_utils.ResolveSplitsConfig(
        exec_properties.get(standard_component_specs.SPLITS_CONFIG_KEY), examples
    )
