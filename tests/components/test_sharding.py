"""Results of nodes do not depend on the number of shards, parts and workers."""

from __future__ import annotations

import itertools
import json
import pathlib
import random
from typing import Any, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common import features
from components.common.settings import DEFAULT_SHARD_MIB, ColumnSettings, TextSettings
from components.example_gen.component import make_example_gen
from components.example_gen.sources import discover
from components.example_gen.summary import ExamplesSummary
from components.statistics_gen import workers
from components.transform.vocabulary import WriteVocabularies, WrittenVocabulary
from tests.components.example_gen.test_executor import execute
from tests.components.example_gen.test_workers import read_texts
from tests.components.trainer.tiny import trace_project
from tests.conftest import LOCAL_BEAM_ARGS

WORDS = [f'word{number}' for number in range(2_000)]
BEAM = PipelineOptions(LOCAL_BEAM_ARGS)


class Cut(NamedTuple):
    """The same data: whole, or cut into shards."""

    folder: pathlib.Path
    summary: ExamplesSummary

    def shards(self, split: str) -> list[str]:
        return sorted(map(str, (self.folder / f'Split-{split}').iterdir()))


@pytest.fixture(scope='module')
def cuts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cut, Cut]:
    data = tmp_path_factory.mktemp('data') / 'reviews.jsonl'
    chance = random.Random(7)
    with data.open('w', encoding='utf-8') as file:
        for number in range(4_000):
            text = ' '.join(chance.choices(WORDS, range(1, 2_001), k=100))
            row = {'text': text, 'label': ('neg', 'pos')[number % 2]}
            file.write(json.dumps(row) + '\n' * (1 + (number % 500 == 0)))
            if number % 1_000 == 0:
                file.write('no JSON\n')
    whole, cut = (_generate(data, tmp_path_factory.mktemp('out'), mib) for mib in (None, 1))
    return whole, cut


def _generate(data: pathlib.Path, output: pathlib.Path, shard_mib: int | None) -> Cut:
    columns = ColumnSettings()
    source = discover(str(data), columns)
    node = make_example_gen(source, columns, shard_mib=shard_mib or DEFAULT_SHARD_MIB)
    artifact = execute(node, output)
    return Cut(pathlib.Path(artifact.uri), ExamplesSummary.read(artifact.uri))


def test_examples_are_the_same_when_input_and_output_are_cut(cuts: tuple[Cut, Cut]) -> None:
    whole, cut = cuts
    assert whole.summary == cut.summary
    assert cut.summary.rejected == {'not JSON': 4}
    for split in ('train', 'val', 'test'):
        assert len(whole.shards(split)) == 1
        rows = [
            sorted(itertools.chain(*read_texts(pathlib.Path(each.folder, f'Split-{split}'))))
            for each in cuts
        ]
        assert rows[0] == rows[1]
    assert len(cut.shards('train')) == 3
    rejects = [
        sorted(line for path in (each.folder / 'report').glob('rejects*') for line in path.open())
        for each in cuts
    ]
    assert len(rejects[0]) == len(rejects[1]) == 4


def describe(cut: Cut, folder: pathlib.Path, parts: int) -> tuple[bytes, dict[str, Any]]:
    files = [(split, path) for split in ('train', 'val', 'test') for path in cut.shards(split)]
    paths = {split: str(folder / split / 'stats.pb') for split in ('train', 'val', 'test')}
    texts = folder / 'text_statistics.json'
    with beam.Pipeline(options=BEAM) as pipeline:
        _ = (
            pipeline
            | beam.Create(files)
            | workers.WriteStatistics(
                paths,
                str(texts),
                texts_parts=parts,
                most_files=max(len(cut.shards(split)) for split in paths),
            )
        )
    statistics = {}
    for split, path in paths.items():
        found = statistics_pb2.DatasetFeatureStatisticsList.FromString(
            pathlib.Path(path).read_bytes()
        )
        (dataset,) = found.datasets
        for feature in dataset.features:
            # Sums of fractions in another order differ in the last digit.
            feature.num_stats.mean = round(feature.num_stats.mean, 9)
            feature.num_stats.std_dev = round(feature.num_stats.std_dev, 9)
        statistics[split] = sorted(map(str, dataset.features)), dataset.num_examples
    return texts.read_bytes(), statistics


@pytest.fixture(scope='module')
def described(
    cuts: tuple[Cut, Cut], tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, dict[str, Any]]:
    """Return the statistics of the whole data."""
    return describe(cuts[0], tmp_path_factory.mktemp('whole'), 1)


@pytest.mark.parametrize('files_per_merge', [64, 1])
def test_statistics_are_the_same_when_their_work_is_cut(
    files_per_merge: int,
    cuts: tuple[Cut, Cut],
    described: tuple[bytes, dict[str, Any]],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, '_FILES_PER_MERGE', files_per_merge)
    assert describe(cuts[1], tmp_path / 'cut', 5) == described
    assert json.loads(described[0])['splits'][0]['examples'] > 2_500


@pytest.mark.parametrize(('top_k', 'min_count'), [(100_000, 1), (500, 1), (100_000, 80)])
def test_vocabulary_is_the_same_when_words_are_shared_out(
    top_k: int, min_count: int, cuts: tuple[Cut, Cut], tmp_path: pathlib.Path
) -> None:
    text = TextSettings(vocab_size=top_k + features.RESERVED_IDS, min_word_count=min_count)
    traced = trace_project(text, tmp_path / 'temp')
    assert traced.word_graph is not None
    found = []
    for cut, parts in ((cuts[0], 1), (cuts[1], 7)):
        path = str(tmp_path / str(parts) / 'words')
        write = WriteVocabularies(
            traced.word_graph, {path: traced.vocabularies['words']}, parts=parts
        )
        with beam.Pipeline(options=BEAM) as pipeline:
            _ = pipeline | beam.Create(cut.shards('train')) | write
        found.append((pathlib.Path(path).read_bytes(), WrittenVocabulary.read(path)[1:]))
    assert found[0] == found[1]
    assert 400 < found[0][0].count(b'\n') <= 2_000
    kept, distinct, examples = found[0][1]
    assert kept == found[0][0].count(b'\n') <= distinct
    assert examples == cuts[0].summary.examples('train')
