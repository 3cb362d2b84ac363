from __future__ import annotations

import ast
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow_transform as tft
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.schema.component import CURATED_SCHEMA
from components.transform import tracing
from tests.components.transform import functions
from tests.conftest import REPO

SCHEMA = text_format.Parse(CURATED_SCHEMA.read_text(), schema_pb2.Schema())


@pytest.mark.parametrize('name', tracing.PRIVATE_NAMES)
def test_private_name_of_tft_is_as_expected(name: str) -> None:
    assert name not in tracing.missing_names(), (
        f'TFT {tft.__version__} has moved or changed {name}: adapt components/transform/tracing.py'
    )


def test_all_private_names_are_listed_when_they_are_used() -> None:
    tree = ast.parse(pathlib.Path(tracing.__file__).read_text())
    modules = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('tensorflow_tr')
        for alias in node.names
    }
    used = {
        f'{modules[node.value.id]}.{node.value.id}.{node.attr}'.split('.', 1)[1]
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
    }
    assert len(used) > 10
    listed = {name for name in tracing.PRIVATE_NAMES if not name.startswith('nodes.')}
    assert used - {'analyzers._VocabOrderingType'} == listed - {
        'analyzers._VocabOrderingType.FREQUENCY',
        'analyzer_nodes.TensorSink',
    }


def test_no_other_module_uses_private_names_of_tft() -> None:
    for path in [*REPO.glob('components/**/*.py'), *REPO.glob('pipeline/**/*.py')]:
        if path != pathlib.Path(tracing.__file__):
            source = path.read_text()
            assert 'from tensorflow_transform' not in source, path
            assert 'import tensorflow_transform.' not in source, path


@pytest.mark.parametrize(
    ('function', 'reason'),
    [
        (functions.scaled, 'the analyzer scale_to_z_score'),
        (functions.weighted, 'the analyzer vocabulary'),
        (functions.frequencies, 'the analyzer vocabulary'),
        (functions.vocabulary_of_ids, 'the analyzer compute_and_apply_vocabulary'),
        (functions.asserted, 'the operation assert_less_equal/Assert/AssertGuard'),
    ],
)
def test_function_is_left_to_tfx_when_it_needs_more_than_frequencies(
    function: Callable[..., Any], reason: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(tracing.UnknownAnalyzerError, match=f'^{reason}$'):
        tracing.trace(function, SCHEMA, str(tmp_path))


def test_graph_is_written_when_the_function_has_no_analyzer(tmp_path: pathlib.Path) -> None:
    traced = tracing.trace(functions.without_analyzers, SCHEMA, str(tmp_path / 'temp'))
    assert traced.word_graph is None
    traced.write(str(tmp_path / 'graph'), str(tmp_path / 'temp'), {})
    output = tft.TFTransformOutput(str(tmp_path / 'graph'))
    assert output.transformed_feature_spec().keys() == {'text'}


def test_words_are_counted_before_each_is_matched_with_a_pattern(tmp_path: pathlib.Path) -> None:
    traced = tracing.trace(functions.two_vocabularies, SCHEMA, str(tmp_path))
    assert traced.word_graph is not None
    assert len(traced.word_graph.outputs) == 2
    assert traced.word_graph.feature_spec.keys() == {'text'}
    # On IMDB, the pattern takes a tenth of Transform's time.
    assert b'RegexFullMatch' not in traced.word_graph.graph_def
