from __future__ import annotations

import pathlib
import random
from collections import Counter
from collections.abc import Sequence

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from components.transform import vocabulary
from components.transform.vocabulary import (
    Vocabulary,
    WordGraph,
    WriteVocabularies,
    WrittenVocabulary,
    count_examples,
)
from tests.components.trainer.tiny import write_split
from tests.conftest import LOCAL_BEAM_ARGS

NO_WORD = b'49d0cd50-04bb-48c0-bc6f-5b575dce351a'
# By word, its occurrences; the words have all kinds of bytes.
COUNTS = {b'film': 3, b'!': 3, b'good': 2, b'\xff\x00': 2, '好'.encode(): 2, b'bad': 1}
ORDER = [b'film', b'!', b'\xff\x00', '好'.encode(), b'good', b'bad']


def write(
    folder: pathlib.Path,
    files: Sequence[Sequence[Sequence[bytes]]],
    vocabularies: Sequence[Vocabulary],
    parts: int,
) -> list[tuple[bytes, WrittenVocabulary]]:
    """Write vocabularies of examples with lists of words, in several files."""
    paths = []
    for number, examples in enumerate(files):
        paths.append(str(folder / f'{number}.gz'))
        with tf.io.TFRecordWriter(paths[-1], 'GZIP') as writer:
            for words in examples:
                example = tf.train.Example()
                example.features.feature['words'].bytes_list.value.extend(words)
                writer.write(example.SerializeToString())
    graph = tf.Graph()
    with graph.as_default():
        values = tf.compat.v1.placeholder(tf.string, [None, None], name='values')
        words = tf.reshape(values, [-1])
    word_graph = WordGraph(
        graph_def=graph.as_graph_def().SerializeToString(),
        feature_spec={'words': tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)},
        inputs={'words': [values.name]},
        outputs=[words.name] * len(vocabularies),
    )
    written = {str(folder / 'new' / each.name): each for each in vocabularies}
    with beam.Pipeline(options=PipelineOptions(LOCAL_BEAM_ARGS)) as pipeline:
        _ = pipeline | beam.Create(paths) | WriteVocabularies(word_graph, written, parts=parts)
    return [(pathlib.Path(path).read_bytes(), WrittenVocabulary.read(path)) for path in written]


@pytest.mark.parametrize('parts', [1, 4])
def test_words_are_kept_when_they_occur_often_enough(parts: int, tmp_path: pathlib.Path) -> None:
    words = [word for word, count in COUNTS.items() for _ in range(count)]
    # A line of the file is a word.
    left_out = [b'', b'a\nb', b'\r', b'\n']
    files = [[words[::2], left_out], [left_out, [], words[1::2]], []]
    expected = {
        Vocabulary(name=f'{min_count} {top_k}', top_k=top_k, min_count=min_count): kept
        for min_count, top_k, kept in (
            (1, 9, 6),
            (1, None, 6),
            (2, 9, 5),
            (2, None, 5),
            (3, 9, 2),
            (3, 1, 1),
            (1, 3, 3),
            (4, 9, 0),
        )
    }
    found = write(tmp_path, files, list(expected), parts)
    for (content, written), kept in zip(found, expected.values()):
        # A table cannot be made from an empty file, so a word is written that no text has.
        assert content == b''.join(word + b'\n' for word in ORDER[:kept] or [NO_WORD])
        assert written[1:] == (kept, len(COUNTS), 5)


@pytest.mark.parametrize('parts', [1, 3, 50])
def test_vocabulary_is_the_same_when_words_are_in_many_files_parts_and_stored_rows(
    parts: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, '_MERGED_ROWS', 150)
    chance = random.Random(parts)
    names = [b'%x' % number for number in range(1, 1_000)]
    files = [
        [chance.choices(names, [1 / int(name, 16) for name in names], k=200) for _ in range(5)]
        for _ in range(6)
    ]
    counts = Counter(word for examples in files for words in examples for word in words)
    expected = sorted(counts, key=lambda word: (counts[word], word), reverse=True)
    assert len(expected) > 600
    sizes = (None, 400)
    vocabularies = [Vocabulary(name=str(top_k), top_k=top_k) for top_k in sizes]
    for top_k, (content, written) in zip(sizes, write(tmp_path, files, vocabularies, parts)):
        assert content.split() == expected[:top_k]
        assert written[1:] == (len(expected[:top_k]), len(expected), 30)


def test_examples_are_counted(tmp_path: pathlib.Path) -> None:
    write_split(tmp_path / 'train', [[('Good film!!', 1), ("It's good.", 1)], []])
    files = sorted(str(path) for path in (tmp_path / 'train').iterdir())
    assert [count_examples(file) for file in files] == [2, 0]
