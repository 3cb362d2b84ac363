from __future__ import annotations

import pathlib
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import impl_helper
from tfx.types import artifact_utils, channel_utils, standard_artifacts

import components.transform
from components.common import features
from components.common.errors import ComponentError
from components.common.settings import Executors, TextSettings
from components.schema.component import CURATED_SCHEMA
from components.transform import executor, tracing
from components.transform.component import make_transform
from components.transform.properties import STOCK_REASON_PROPERTY
from tests.components.trainer.tiny import (
    COUNTS,
    TEXT,
    Tiny,
    copy_damaged,
    make_example,
    write_split,
    write_summary,
)
from tests.components.transform import functions
from tests.components.transform.test_text import GOLDEN
from tests.conftest import LOCAL_BEAM_ARGS

SPLIT_TEXT = TextSettings(vocab_size=150, max_tokens=12, min_word_count=2, punctuation='split')
AWKWARD = [
    '',
    ' ',
    '\n',
    '\r',
    '\x00',
    '<br />',
    'a',
    'A',
    'İ',
    'é',
    'e\u0301',
    '好',
    '.',
    "'",
    '\ufffd',
]


def execute(
    examples_dir: pathlib.Path,
    folder: pathlib.Path,
    executors: Executors = 'fast',
    *,
    text: TextSettings = TEXT,
    function: Callable[..., Any] | None = None,
    materialize: bool = False,
    **exec_properties: Any,
) -> dict[str, Any]:
    """Run the node's executor, and return its outputs.

    Args:
        examples_dir: Folder of the examples.
        folder: Folder for everything that is written.
        executors: Whose executor runs.
        text: Settings of the project's preprocessing_fn.
        function: Another preprocessing_fn.
        materialize: Whether transformed examples are written.
        exec_properties: Execution parameters to replace.
    """
    examples, schema = standard_artifacts.Examples(), standard_artifacts.Schema()
    examples.uri, schema.uri = str(examples_dir), str(folder / 'schema')
    examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    (folder / 'schema').mkdir(parents=True)
    shutil.copyfile(CURATED_SCHEMA, folder / 'schema' / 'schema.pbtxt')
    channels = [channel_utils.as_channel([artifact]) for artifact in (examples, schema)]
    node = make_transform(*channels, text, executors, materialize=materialize)
    if function is not None:
        node.exec_properties['preprocessing_fn'] = f'{function.__module__}.{function.__name__}'
    executor_class = node.executor_spec.executor_class
    context = executor_class.Context(
        beam_pipeline_args=LOCAL_BEAM_ARGS, tmp_dir=str(folder / 'tmp'), unique_id='1'
    )
    outputs = {key: channel.type() for key, channel in node.outputs.items()}
    for key, artifact in outputs.items():
        artifact.uri = str(folder / key)
    executor_class(context).Do(
        {'examples': [examples], 'schema': [schema]},
        {key: [artifact] for key, artifact in outputs.items()},
        {**node.exec_properties, **exec_properties},
    )
    return outputs


def stock_reason(outputs: dict[str, Any]) -> str:
    found: str = outputs['transform_graph'].get_string_custom_property(STOCK_REASON_PROPERTY)
    return found


@pytest.fixture(scope='module')
def awkward(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Write examples with texts that are difficult to split into words, and to write in lines."""
    folder = tmp_path_factory.mktemp('awkward')
    rng = random.Random(18)
    texts: list[str | bytes] = [text for golden in GOLDEN.values() for text, _ in golden]
    texts += [''.join(rng.choices(AWKWARD, k=rng.randrange(20))) for _ in range(300)]
    texts += rng.choices(texts[-300:], k=200)
    (folder / 'Split-train').mkdir()
    for number in range(3):
        path = folder / 'Split-train' / f'data_tfrecord-{number:05}-of-00003.gz'
        with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
            for text in texts[number::3]:
                example = tf.train.Example.FromString(make_example('', 0))
                raw = text if isinstance(text, bytes) else text.encode()
                example.features.feature['text'].bytes_list.value[0] = raw
                writer.write(example.SerializeToString())
    write_summary(folder, {'train': (len(texts), 0), 'val': (0, 0), 'test': (0, 0)})
    return folder


def files_of(folder: pathlib.Path) -> dict[str, bytes]:
    """Return the content of all files, except of the SavedModel, which has random names."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file() and path.name not in ('saved_model.pb', 'fingerprint.pb')
    }


def transformed(transform_graph: str, examples: pathlib.Path) -> Iterator[Any]:
    """Yield the values of the transformed features of all examples."""
    output = tft.TFTransformOutput(transform_graph)
    files = sorted(str(path) for path in (examples / 'Split-train').iterdir())
    for batch in tf.data.TFRecordDataset(files, 'GZIP').batch(1_000):
        raw = tf.io.parse_example(batch, output.raw_feature_spec())
        for name, value in sorted(output.transform_raw_features(raw).items()):
            yield (
                name,
                [part.numpy().tolist() for part in tf.nest.flatten(value, expand_composites=True)],
            )


def test_only_the_graph_is_written_when_the_node_runs(tiny: Tiny, tmp_path: pathlib.Path) -> None:
    outputs = execute(tiny.examples, tmp_path)
    output = tft.TFTransformOutput(outputs['transform_graph'].uri)
    words = output.vocabulary_by_name(features.VOCABULARY_NAME)
    assert len(words) == TEXT.vocab_size - features.RESERVED_IDS
    names = {path.name for path in (tmp_path / 'transform_graph').iterdir()}
    assert names == {'metadata', 'transform_fn', 'transformed_metadata'}
    assert stock_reason(outputs) == ''


@pytest.mark.parametrize(
    ('executors', 'damage'),
    [('fast', 'dropped'), ('fast', 'truncated'), ('fast', 'duplicated'), ('stock', 'truncated')],
)
def test_run_fails_when_a_shard_of_train_is(
    executors: Executors, damage: str, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    copy, left = copy_damaged(tiny, tmp_path, 'train', damage)
    count = COUNTS['train']
    message = f'^Transform: expected the {count} examples of train that .* wrote, got {left}$'
    with pytest.raises(ComponentError, match=message):
        execute(copy.examples, tmp_path, executors)


@pytest.mark.parametrize(
    ('function', 'vocabularies'),
    [(None, ['words']), (functions.two_vocabularies, ['texts', 'vocab_compute_and_apply'])],
    ids=['of_the_project', 'of_a_user'],
)
def test_results_equal_those_of_tfx_when_the_function_is(
    function: Callable[..., Any] | None,
    vocabularies: list[str],
    awkward: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    graphs = []
    for executors in ('fast', 'stock'):
        outputs = execute(
            awkward, tmp_path / executors, executors, text=SPLIT_TEXT, function=function
        )
        assert stock_reason(outputs) == {'fast': '', 'stock': 'executors=stock'}[executors]
        graphs.append(outputs['transform_graph'].uri)
    fast, stock = (files_of(pathlib.Path(graph)) for graph in graphs)
    assert fast == stock
    assets = sorted(name for name in fast if '/assets/' in name)
    assert [name.rpartition('/')[2][:23] for name in assets] == vocabularies
    assert all(fast[name].count(b'\n') > 30 for name in assets)
    values = [list(transformed(graph, awkward)) for graph in graphs]
    assert values[0] == values[1]
    assert len(values[0]) == len(vocabularies)


def test_examples_are_transformed_when_they_are_wanted(tiny: Tiny, tmp_path: pathlib.Path) -> None:
    outputs = execute(tiny.examples, tmp_path, function=functions.scaled, materialize=True)
    assert stock_reason(outputs) == 'transformed examples are wanted'
    folder = pathlib.Path(outputs['transformed_examples'].uri)
    for split, count in COUNTS.items():
        files = [str(path) for path in (folder / f'Split-{split}').iterdir()]
        examples = [
            tf.train.Example.FromString(record)
            for record in tf.data.TFRecordDataset(files, 'GZIP').as_numpy_iterator()
        ]
        scaled = [example.features.feature['label'].float_list.value[0] for example in examples]
        assert (len(scaled), set(scaled)) == (count, {-1, 1})


def test_run_fails_when_tfx_transforms_fewer_examples(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def transform(_: Any, inputs: Any, outputs: dict[str, list[Any]], properties: Any) -> None:
        for split, count in COUNTS.items():
            folder = pathlib.Path(outputs['transformed_examples'][0].uri) / f'Split-{split}'
            write_split(folder, [[('a', 0)] * (count - (split == 'test'))])

    monkeypatch.setattr(executor.executor.Executor, 'Do', transform)
    count = sum(COUNTS.values())
    message = f'^Transform: expected the {count} examples of train and val and test .* {count - 1}$'
    with pytest.raises(ComponentError, match=message):
        execute(tiny.examples, tmp_path, 'stock', materialize=True)


@pytest.fixture
def reasons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect why TFX's executor would run, instead of running it."""
    found: list[str] = []
    monkeypatch.setattr(
        executor.StockExecutor, '_run_stock', lambda *arguments: found.append(arguments[-1])
    )
    return found


@pytest.mark.parametrize(
    ('exec_properties', 'reason'),
    [
        ({'function': functions.scaled}, 'the analyzer scale_to_z_score'),
        ({'disable_statistics': 0}, 'statistics are wanted'),
        ({'force_tf_compat_v1': 1}, 'force_tf_compat_v1 is set'),
        ({'module_file': 'module.py'}, 'module_file is set'),
    ],
)
def test_tfx_executor_runs_when(
    exec_properties: dict[str, Any],
    reason: str,
    tiny: Tiny,
    tmp_path: pathlib.Path,
    reasons: list[str],
) -> None:
    execute(tiny.examples, tmp_path, **exec_properties)
    assert reasons == [reason]


def test_tfx_executor_runs_when_tft_has_other_private_names(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, reasons: list[str]
) -> None:
    monkeypatch.delattr(impl_helper, 'trace_and_write_v2_saved_model')
    # It is imported again.
    monkeypatch.delitem(sys.modules, tracing.__name__)
    monkeypatch.delattr(components.transform, 'tracing')
    execute(tiny.examples, tmp_path)
    (reason,) = reasons
    assert reason.endswith('than expected: impl_helper.trace_and_write_v2_saved_model')
