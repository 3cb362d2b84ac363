"""No record between the stages of a Beam job grows with the data."""

from __future__ import annotations

import json
import pathlib

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from tests.conftest import LOCAL_BEAM_ARGS, SAMPLE, call_command
from tests.record_sizes import MAX_BYTES, measured_records

# Of each node that reads all data, what groups the records of its workers.
_GROUPING = (
    'Publish/Together/',
    'Statistics/BySplit/',
    'Vocabularies/Together/',
    'Evaluate/Together/',
)


def run(data: pathlib.Path, folder: pathlib.Path, *args: str) -> None:
    """Run the pipeline in this process, with many shards, and check the sizes of its records."""
    with measured_records() as sizes:
        shards = ('--set', 'data.shard_mib=1')
        done = call_command('run', '--data', str(data), '--json', *shards, *args, cwd=folder)
    assert done.code == 0, done.err
    assert sizes.too_large == {}, sizes.too_large
    for transform in _GROUPING:
        assert any(name.startswith(transform) for name in sizes.largest), (transform, sizes.largest)


def test_large_record_is_found_when_its_values_are_small() -> None:
    values = [b'x' * (MAX_BYTES // 2)] * 3
    with measured_records() as sizes, beam.Pipeline(options=PipelineOptions(LOCAL_BEAM_ARGS)) as p:
        _ = (
            p
            | 'Small' >> beam.Create(values, reshuffle=True)
            | 'Key' >> beam.Map(lambda value: (0, value))
            | 'Together' >> beam.GroupByKey()
            | 'Count' >> beam.MapTuple(lambda _, values: len(list(values)))
        )
    assert sizes.too_large == {'Together/Read': pytest.approx(3 * MAX_BYTES / 2, rel=0.01)}
    assert sizes.largest['Together/Write'] == pytest.approx(MAX_BYTES / 2, rel=0.01)


@pytest.mark.usefixtures('quick_smoke_tests')
def test_all_records_are_small_when_the_sample_is_read(tmp_path: pathlib.Path) -> None:
    run(SAMPLE, tmp_path)


@pytest.mark.slow
def test_all_records_are_small_when_imdb_is_read(
    imdb_archive: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    run(imdb_archive, tmp_path)


@pytest.mark.slow
def test_all_records_are_small_when_there_are_ten_million_words(tmp_path: pathlib.Path) -> None:
    write_distinct_words(tmp_path / 'data')
    run(tmp_path / 'data', tmp_path, '--group-column', 'film')


_FILES = 2_000
_ROWS = 80  # of a file
_WORDS = 5_000  # of a file
_LETTERS = 6


def write_distinct_words(folder: pathlib.Path) -> None:
    """Write ten million words that occur once each into small tables, each with a long text."""
    folder.mkdir()
    for file in range(_FILES):
        numbers = np.arange(file * _WORDS, (file + 1) * _WORDS)
        letters = np.full((_WORDS, _LETTERS + 1), ord(' '), np.uint8)
        for place in range(_LETTERS):
            letters[:, place] = ord('a') + numbers // 26**place % 26
        words = letters.tobytes().decode()
        short = (_LETTERS + 1) * 30
        lines = []
        for row in range(_ROWS):
            start = row * short
            text = words[start : start + short if row < _ROWS - 1 else None]
            label = ('neg', 'pos')[row % 2]
            lines.append(
                {'text': f'{label} film: {text}', 'label': label, 'film': f'{file}, {row}'}
            )
        split = ('train', 'test')[file % 2]
        path = folder / f'{split}-{file:04}.jsonl'
        path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
