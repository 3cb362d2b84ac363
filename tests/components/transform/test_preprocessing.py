from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.common import features
from components.common.settings import TextSettings
from tests.components.trainer.tiny import write_split, write_transform_graph

# Most frequent first; of equally frequent words, the one that sorts last.
ANALYZED = ['Good film! A GOOD film?', 'bad<br />film, Bad', 'film: good', '', '?!']
VOCABULARY = [b'film', b'good', b'bad', b'a']
NO_WORD = [b'49d0cd50-04bb-48c0-bc6f-5b575dce351a']


@pytest.mark.parametrize(
    ('settings', 'analyzed', 'transformed', 'ids', 'vocabulary'),
    [
        pytest.param(
            {},
            ANALYZED,
            [*ANALYZED, 'A superb film', 'film ' * 251],
            [[3, 2, 5, 3, 2], [4, 2, 4], [2, 3], [], [], [5, 1, 2], [2] * 250],
            VOCABULARY,
            id='another_split_has_words_of_its_own',
        ),
        pytest.param(
            {'vocab_size': 4, 'max_tokens': 3},
            ANALYZED[::-1],
            ANALYZED[::-1],
            [[], [], [2, 3], [1, 2, 1], [3, 2, 1]],
            VOCABULARY[:2],
            id='limits_are_passed_and_rows_come_in_another_order',
        ),
        pytest.param(
            {'min_word_count': 3},
            ANALYZED,
            ['good bad film'],
            [[3, 1, 2]],
            VOCABULARY[:2],
            id='words_are_rare',
        ),
        pytest.param(
            {'punctuation': 'split'},
            ANALYZED,
            ["'Good film!!', isn't it?"],
            [[3, 2, 1, 1, 1, 7]],
            [*VOCABULARY, b'?!', b'?', b':', b',', b'!'],
            id='punctuation_is_split',
        ),
        pytest.param(
            {},
            ['', '?!'],
            ['film', ''],
            [[1], []],
            NO_WORD,
            id='the_analysed_texts_have_no_word',
        ),
    ],
)
def test_ids_are_by_frequency_when(
    settings: dict[str, int],
    analyzed: list[str],
    transformed: list[str],
    ids: list[list[int]],
    vocabulary: list[bytes],
    tmp_path: pathlib.Path,
) -> None:
    # TFX's own executor makes the same: test_executor.py.
    reviews = [(text, 0) for text in analyzed]
    write_split(tmp_path / 'examples' / 'Split-train', [reviews[:1], reviews[1:]])
    write_transform_graph(tmp_path / 'examples', TextSettings(**settings), tmp_path / 'graph')
    output = tft.TFTransformOutput(str(tmp_path / 'graph'))
    assert output.vocabulary_by_name(features.VOCABULARY_NAME) == vocabulary
    assert output.vocabulary_size_by_name(features.VOCABULARY_NAME) == len(vocabulary)
    ((name, spec),) = output.transformed_feature_spec().items()
    assert (name, spec.dtype) == (features.TOKENS_KEY, tf.int64)
    assert isinstance(spec, tf.io.RaggedFeature)
    # Only the text is needed.
    found = output.transform_features_layer()({features.TEXT_KEY: tf.constant(transformed)})
    assert found[features.TOKENS_KEY].to_list() == ids
