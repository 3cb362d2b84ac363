from __future__ import annotations

import pathlib
import shutil

import pytest
import tensorflow_transform as tft
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from components.common import features
from components.common.errors import ComponentError
from components.schema.component import CURATED_SCHEMA
from components.transform.component import make_transform
from tests.components.trainer.tiny import COUNTS, TEXT, Tiny, copy_damaged
from tests.conftest import LOCAL_BEAM_ARGS


def execute(examples_dir: pathlib.Path, folder: pathlib.Path) -> tft.TFTransformOutput:
    """Run the node's executor."""
    examples, schema = standard_artifacts.Examples(), standard_artifacts.Schema()
    examples.uri, schema.uri = str(examples_dir), str(folder / 'schema')
    examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    (folder / 'schema').mkdir(parents=True)
    shutil.copyfile(CURATED_SCHEMA, folder / 'schema' / 'schema.pbtxt')
    graph = standard_artifacts.TransformGraph()
    graph.uri = str(folder / 'graph')
    node = make_transform(*(channel_utils.as_channel([a]) for a in (examples, schema)), TEXT)
    executor_class = node.executor_spec.executor_class
    context = executor_class.Context(
        beam_pipeline_args=LOCAL_BEAM_ARGS, tmp_dir=str(folder / 'tmp'), unique_id='1'
    )
    executor_class(context).Do(
        {'examples': [examples], 'schema': [schema]},
        {'transform_graph': [graph]},
        dict(node.exec_properties),
    )
    return tft.TFTransformOutput(graph.uri)


def test_only_the_graph_is_written_when_the_node_runs(tiny: Tiny, tmp_path: pathlib.Path) -> None:
    output = execute(tiny.examples, tmp_path)
    words = output.vocabulary_by_name(features.VOCABULARY_NAME)
    assert len(words) == TEXT.vocab_size - features.RESERVED_IDS
    names = {path.name for path in (tmp_path / 'graph').iterdir()}
    assert names == {'metadata', 'transform_fn', 'transformed_metadata'}


@pytest.mark.parametrize('damage', ['dropped', 'truncated', 'duplicated'])
def test_run_fails_when_a_shard_of_train_is(
    damage: str, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    copy, left = copy_damaged(tiny, tmp_path, 'train', damage)
    count = COUNTS['train']
    message = f'^Transform: expected the {count} examples of train that .* wrote, got {left}$'
    with pytest.raises(ComponentError, match=message):
        execute(copy.examples, tmp_path)
