"""Traces a preprocessing_fn, and writes its graph: the only module that uses private names of TFT.

Where TFT has not all of these names, or the classes of its analyzers have other
fields, this module cannot be imported, and TFX's own executor runs.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import analyzer_nodes, analyzers, annotators, graph_tools, impl_helper
from tensorflow_transform.tf_metadata import metadata_io, schema_utils

from components.transform.vocabulary import Vocabulary, WordGraph, WrittenVocabulary

# Each name in `tensorflow_transform`, with the parameters of a function, or all fields of a class.
PRIVATE_NAMES: Mapping[str, tuple[str, ...]] = {
    'analyzer_nodes.TENSOR_REPLACEMENTS': (),
    'analyzer_nodes.TensorSink': ('tensor', 'future', 'is_asset_filepath'),
    'analyzer_nodes.TensorSource': ('tensors', 'label'),
    'analyzer_nodes.VocabularyAccumulate': ('vocab_ordering_type', 'input_dtype', 'label'),
    'analyzer_nodes.VocabularyCount': ('label',),
    'analyzer_nodes.VocabularyMerge': (
        'vocab_ordering_type',
        'use_adjusted_mutual_info',
        'min_diff_from_avg',
        'label',
    ),
    'analyzer_nodes.VocabularyOrderAndWrite': (
        'vocab_filename',
        'store_frequency',
        'input_dtype',
        'label',
        'fingerprint_shuffle',
        'file_format',
        'input_is_sorted',
    ),
    'analyzer_nodes.VocabularyPrune': (
        'top_k',
        'frequency_threshold',
        'informativeness_threshold',
        'coverage_top_k',
        'coverage_frequency_threshold',
        'coverage_informativeness_threshold',
        'key_fn',
        'input_dtype',
        'label',
    ),
    'analyzers._VocabOrderingType.FREQUENCY': (),
    'annotators.get_asset_annotations': ('graph',),
    'graph_tools.get_analyzers_fingerprint': ('graph', 'structured_inputs'),
    'impl_helper.METADATA_DIR_NAME': (),
    'impl_helper.get_type_specs_from_feature_specs': ('feature_specs', 'ragged_sequence_features'),
    'impl_helper.trace_and_write_v2_saved_model': (
        'saved_model_dir',
        'preprocessing_fn',
        'input_signature',
        'base_temp_dir',
        'baseline_analyzers_fingerprint',
        'tensor_replacement_map',
        'output_keys_to_name_map',
        'save_options',
    ),
    'impl_helper.trace_preprocessing_function': (
        'preprocessing_fn',
        'input_specs',
        'use_tf_compat_v1',
        'base_temp_dir',
    ),
    'nodes.OperationNode.inputs': (),
    'nodes.OperationNode.operation_def': (),
    'tf_metadata.metadata_io.read_metadata': ('path',),
    'tf_metadata.metadata_io.write_metadata': ('metadata', 'path'),
    'tf_metadata.schema_utils.schema_as_feature_spec': ('schema_proto',),
}


def missing_names() -> list[str]:
    """Return the private names that TFT has not, or that have other parameters or fields."""
    return [name for name, fields in PRIVATE_NAMES.items() if _fields(name) != fields]


def _fields(name: str) -> tuple[str, ...] | None:
    try:
        value = functools.reduce(getattr, name.split('.'), tft)
    except AttributeError:
        return None
    if inspect.isfunction(value):
        return tuple(inspect.signature(value).parameters)
    return tuple(getattr(value, '_fields', ()))


if missing_names():
    raise ImportError(
        f'this TFT has other private names than expected: {", ".join(missing_names())}'
    )

_COUNT_DISTINCT = (
    analyzer_nodes.VocabularyCount,
    analyzer_nodes.VocabularyMerge,
    analyzer_nodes.VocabularyAccumulate,
    analyzer_nodes.TensorSource,
)
_COUNT_KEPT = (_COUNT_DISTINCT[0], analyzer_nodes.VocabularyPrune, *_COUNT_DISTINCT[1:])
_WRITE = (analyzer_nodes.VocabularyOrderAndWrite, *_COUNT_KEPT[1:])
# The pattern of the words that TFT leaves out.
_NO_LINE = rb'^$|\C*[\n\r]\C*'
# The operations that leave them out, last one first, and which input of each leads to the next.
_FILTER = (
    ('GatherV2', 1),
    ('Squeeze', 0),
    ('Where', 0),
    ('Reshape', 0),
    ('LogicalNot', 0),
    ('StaticRegexFullMatch', 0),
)


class UnknownAnalyzerError(Exception):
    """A preprocessing_fn needs more than the frequency vocabularies that are known here."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TracedFunction:
    """A preprocessing_fn whose analyzers are all frequency vocabularies.

    Attributes:
        vocabularies: Its vocabularies, by name.
        word_graph: What makes their words, in the same order; None if it has no vocabulary.
        function: The function.
        schema: The schema of the raw examples.
        graph: Its graph.
        inputs: The inputs of the graph.
        results: By vocabulary, the tensors that stand for its file and its numbers of words.
    """

    vocabularies: Mapping[str, Vocabulary]
    word_graph: WordGraph | None
    function: Callable[..., Any]
    schema: schema_pb2.Schema
    graph: tf.Graph
    inputs: Mapping[str, Any]
    results: Mapping[str, Mapping[tuple[type, ...], tf.Tensor]]

    def write(
        self, transform_graph: str, temp_dir: str, written: Mapping[str, WrittenVocabulary]
    ) -> None:
        """Write a transform graph, with copies of the vocabularies.

        Args:
            transform_graph: The folder to write, for `tft.TFTransformOutput`.
            temp_dir: A folder for temporary files.
            written: The vocabularies, by name.
        """
        replacements: dict[str, tf.Tensor] = {}
        for name, tensors in self.results.items():
            # TFT counts the word that stands for none.
            values = {
                _WRITE: tf.constant(written[name].path),
                _COUNT_KEPT: tf.constant(max(written[name].kept, 1), tf.int64),
                _COUNT_DISTINCT: tf.constant(max(written[name].distinct, 1), tf.int64),
            }
            replacements |= {tensor.name: values[kind] for kind, tensor in tensors.items()}
        output = tft.TFTransformOutput
        saved_model = os.path.join(transform_graph, output.TRANSFORM_FN_DIR)
        impl_helper.trace_and_write_v2_saved_model(
            saved_model,
            self.function,
            _type_specs(self.schema),
            temp_dir,
            graph_tools.get_analyzers_fingerprint(self.graph, self.inputs),
            replacements,
            None,
            None,
        )
        metadata = os.path.join(saved_model, impl_helper.METADATA_DIR_NAME)
        for folder, content in (
            (output.RAW_METADATA_DIR, tft.DatasetMetadata(self.schema)),
            (output.TRANSFORMED_METADATA_DIR, metadata_io.read_metadata(metadata)),
        ):
            metadata_io.write_metadata(content, os.path.join(transform_graph, folder))
        tf.io.gfile.rmtree(metadata)
        files = annotators.get_asset_annotations(self.graph)
        if files:
            folder = os.path.join(transform_graph, output.TRANSFORMED_METADATA_DIR)
            with tf.io.gfile.GFile(os.path.join(folder, output.ASSET_MAP), 'w') as file:
                file.write(json.dumps(files))


def trace(
    preprocessing_fn: Callable[..., Any], schema: schema_pb2.Schema, temp_dir: str
) -> TracedFunction:
    """Trace a preprocessing_fn, and find its vocabularies.

    Args:
        preprocessing_fn: Maps raw features to transformed ones.
        schema: The schema of the raw examples.
        temp_dir: A folder for temporary files.

    Raises:
        UnknownAnalyzerError: If not all analyzers are frequency vocabularies of strings in
            text files, or their words depend on more than the raw features.
    """
    graph, inputs, _ = impl_helper.trace_preprocessing_function(
        preprocessing_fn, _type_specs(schema), use_tf_compat_v1=False, base_temp_dir=temp_dir
    )
    for operation in graph.control_outputs:
        # An assertion, for instance: TFT's own analysis executes it.
        if not operation.type.startswith('LookupTable'):
            raise UnknownAnalyzerError(f'the operation {operation.name}')
    vocabularies: dict[str, Vocabulary] = {}
    words: list[tf.Tensor] = []
    results: dict[Any, dict[tuple[type, ...], tf.Tensor]] = {}
    sinks = graph.get_collection(analyzer_nodes.TENSOR_REPLACEMENTS)
    names: dict[Any, str] = {}
    for sink in sinks:
        nodes = _nodes(sink.future.parent_operation)
        kind = tuple(type(node.operation_def) for node in nodes)
        if kind not in (_COUNT_DISTINCT, _COUNT_KEPT, _WRITE):
            raise _unknown(sink)
        merge = nodes[-3]
        results.setdefault(merge, {})[kind] = sink.tensor
        if kind == _WRITE:
            vocabulary = _known_vocabulary(*(node.operation_def for node in nodes))
            if vocabulary is None or vocabulary.name in vocabularies:
                raise _unknown(sink)
            vocabularies[vocabulary.name] = vocabulary
            names[merge] = vocabulary.name
            words.append(nodes[-1].operation_def.tensors[0])
    if names.keys() != results.keys():
        raise UnknownAnalyzerError('a vocabulary without a file')
    return TracedFunction(
        vocabularies=vocabularies,
        word_graph=_word_graph(graph, inputs, schema, words, sinks) if words else None,
        function=preprocessing_fn,
        schema=schema,
        graph=graph,
        inputs=inputs,
        results={names[merge]: tensors for merge, tensors in results.items()},
    )


def _type_specs(schema: schema_pb2.Schema) -> dict[str, tf.TypeSpec]:
    specs = schema_utils.schema_as_feature_spec(schema).feature_spec
    found: dict[str, tf.TypeSpec] = impl_helper.get_type_specs_from_feature_specs(specs)
    return found


def _unknown(sink: Any) -> UnknownAnalyzerError:
    return UnknownAnalyzerError(f'the analyzer {sink.tensor.name.partition("/")[0]}')


def _nodes(node: Any) -> list[Any]:
    """Return an operation and those that it gets its input from, if each has one input."""
    found = [node]
    while len(found[-1].inputs) == 1:
        found.append(found[-1].inputs[0].parent_operation)
    return found


def _known_vocabulary(
    write: Any, prune: Any, merge: Any, accumulate: Any, source: Any
) -> Vocabulary | None:
    frequency = analyzers._VocabOrderingType.FREQUENCY
    known = (
        write.file_format == 'text'
        and write.input_dtype == accumulate.input_dtype == prune.input_dtype == 'string'
        and not write.store_frequency
        and not write.fingerprint_shuffle
        and prune.key_fn is None
        and prune.informativeness_threshold == float('-inf')
        and merge.vocab_ordering_type == accumulate.vocab_ordering_type == frequency
        and len(source.tensors) == 1
    )
    if not known:
        return None
    return Vocabulary(
        name=write.vocab_filename, top_k=prune.top_k, min_count=prune.frequency_threshold
    )


def _word_graph(
    graph: tf.Graph,
    inputs: Mapping[str, Any],
    schema: schema_pb2.Schema,
    words: Sequence[tf.Tensor],
    sinks: Sequence[Any],
) -> WordGraph:
    unfiltered = [_before_filter(tensor) for tensor in words]
    operations = _ancestors(unfiltered)
    for sink in sinks:
        if sink.tensor.op.name in operations:
            raise _unknown(sink)
    placeholders = {name for name, kind in operations.items() if kind.startswith('Placeholder')}
    components = {
        name: [tensor.name for tensor in tf.nest.flatten(value, expand_composites=True)]
        for name, value in sorted(inputs.items())
    }
    used = {
        name: tensors
        for name, tensors in components.items()
        if placeholders.intersection(tensor.partition(':')[0] for tensor in tensors)
    }
    left = placeholders.difference(
        tensor.partition(':')[0] for tensors in used.values() for tensor in tensors
    )
    if left or not used:
        raise UnknownAnalyzerError('a vocabulary whose words depend on a table or a variable')
    graph_def = graph.as_graph_def()
    nodes = [node for node in graph_def.node if node.name in operations]
    del graph_def.node[:]
    graph_def.node.extend(nodes)
    specs = schema_utils.schema_as_feature_spec(schema).feature_spec
    return WordGraph(
        graph_def=graph_def.SerializeToString(),
        feature_spec={name: specs[name] for name in used},
        inputs=used,
        outputs=[tensor.name for tensor in unfiltered],
    )


def _ancestors(tensors: Sequence[tf.Tensor]) -> dict[str, str]:
    """Return the types of all operations, by name, that tensors are computed with."""
    found: dict[str, str] = {}
    queue = [tensor.op for tensor in tensors]
    while queue:
        operation = queue.pop()
        if operation.name not in found:
            found[operation.name] = operation.type
            queue.extend([*(tensor.op for tensor in operation.inputs), *operation.control_inputs])
    return found


def _before_filter(words: tf.Tensor) -> tf.Tensor:
    """Return the words before TFT matches each of them with a pattern, which takes long.

    `count_words` leaves out the same words, once each.
    """
    tensor = words
    for kind, index in _FILTER:
        if tensor.op.type != kind:
            return words
        operation, tensor = tensor.op, tensor.op.inputs[index]
    same = words.op.inputs[0].op.inputs[0] is tensor and operation.get_attr('pattern') == _NO_LINE
    return tensor if same else words
