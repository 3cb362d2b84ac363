from __future__ import annotations

import functools
import pathlib
import shutil
import tempfile
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_transform.beam import tft_unit

from components.common import features
from components.common.settings import TextSettings
from components.transform.preprocessing import SETTINGS_KEY, VOCABULARY_KEY, preprocessing_fn
from components.transform.text import tokenize
from components.transform.vocabulary import WriteVocabulary, count_words, most_frequent
from tests.components.trainer.tiny import Tiny, make_example
from tests.conftest import LOCAL_BEAM_ARGS

RAW = tft.DatasetMetadata.from_feature_spec(
    {
        features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string),
        features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
        features.LENGTH_KEY: tf.io.VarLenFeature(tf.string),
    }
)
IDS_KEY = f'{features.TOKENS_KEY}$ragged_values'  # TFT's name for the values of ragged `tokens`
TRANSFORMED = tft.DatasetMetadata.from_feature_spec(
    {
        features.TOKENS_KEY: tf.io.RaggedFeature(
            tf.int64, value_key=IDS_KEY, row_splits_dtype=tf.int64
        )
    }
)
# Most frequent first; of equally frequent words, the one that sorts last.
ANALYZED = ['Good film! A GOOD film?', 'bad<br />film, Bad', 'film: good', '', '?!']
VOCABULARY = [b'film', b'good', b'bad', b'a']


def raw(texts: list[str]) -> list[dict[str, Any]]:
    return [
        {features.TEXT_KEY: text, features.LABEL_KEY: 0, features.LENGTH_KEY: ['1-10']}
        for text in texts
    ]


class PreprocessingTest(tft_unit.TransformTestCase):
    """Tests data, schema and vocabulary together."""

    test_session = None  # tf.test.TestCase's, which pytest would count as skipped

    def _makeTestPipeline(self) -> beam.Pipeline:
        return self._TestPipeline(options=PipelineOptions(LOCAL_BEAM_ARGS))

    @tft_unit.named_parameters(
        {
            'testcase_name': 'another_split_has_words_of_its_own',
            'transformed': [*ANALYZED, 'A superb film', 'film ' * 251],
            'ids': [[3, 2, 5, 3, 2], [4, 2, 4], [2, 3], [], [], [5, 1, 2], [2] * 250],
        },
        {
            'testcase_name': 'limits_are_passed_and_rows_come_in_another_order',
            'settings': {'vocab_size': 4, 'max_tokens': 3},
            'analyzed': ANALYZED[::-1],
            'vocabulary': VOCABULARY[:2],
            'ids': [[], [], [2, 3], [1, 2, 1], [3, 2, 1]],
        },
        {
            'testcase_name': 'the_analysed_texts_have_no_word',
            'analyzed': ['', '?!'],
            'transformed': ['film', ''],
            'vocabulary': None,
            'ids': [[1], []],
        },
    )
    def test_ids_are_by_frequency_when(
        self,
        ids: list[list[int]],
        settings: dict[str, int] | None = None,
        analyzed: list[str] = ANALYZED,
        transformed: list[str] | None = None,
        vocabulary: list[bytes] | None = VOCABULARY,
    ) -> None:
        text = TextSettings(**(settings or {}))
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        examples = f'{folder}/examples.gz'
        with tf.io.TFRecordWriter(examples, 'GZIP') as writer:
            for review in analyzed:
                writer.write(make_example(review, 0))
        path = f'{folder}/{features.VOCABULARY_NAME}'
        with beam.Pipeline(options=PipelineOptions(LOCAL_BEAM_ARGS)) as pipeline:
            _ = (
                pipeline
                | beam.Create([examples])
                | WriteVocabulary(
                    path,
                    count_path=f'{folder}/texts',
                    top_k=text.vocab_size - features.RESERVED_IDS,
                )
            )
        assert pathlib.Path(folder, 'texts').read_text() == str(len(analyzed))
        config = {SETTINGS_KEY: text.model_dump(), VOCABULARY_KEY: path}
        self.assertAnalyzeAndTransformResults(
            raw(analyzed),
            RAW,
            functools.partial(preprocessing_fn, custom_config=config),
            expected_data=[{IDS_KEY: row} for row in ids],
            expected_metadata=TRANSFORMED,
            expected_vocab_file_contents=vocabulary and {features.VOCABULARY_NAME: vocabulary},
            test_data=raw(transformed) if transformed else None,
            desired_batch_size=2,
        )


def vocabularies_of_tft(top_ks: Iterable[int], files: list[str], folder: str) -> list[list[bytes]]:
    """Return the vocabulary of each size that TFT's own analyzer makes."""

    def preprocess(inputs: dict[str, Any]) -> dict[str, Any]:
        words = tokenize(inputs[features.TEXT_KEY])
        return {
            f'ids_{top_k}': tft.compute_and_apply_vocabulary(
                words, top_k=top_k, vocab_filename=f'words_{top_k}'
            )
            for top_k in top_ks
        }

    texts = [
        tf.train.Example.FromString(record.numpy()).features.feature['text'].bytes_list.value[0]
        for record in tf.data.TFRecordDataset(files, 'GZIP')
    ]
    with (
        beam.Pipeline(options=PipelineOptions(LOCAL_BEAM_ARGS)) as pipeline,
        tft_beam.Context(temp_dir=f'{folder}/tmp'),
    ):
        _ = (
            (pipeline | beam.Create(raw([text.decode() for text in texts])), RAW)
            | tft_beam.AnalyzeDataset(preprocess)
            | tft_beam.WriteTransformFn(f'{folder}/graph')
        )
    output = tft.TFTransformOutput(f'{folder}/graph')
    return [output.vocabulary_by_name(f'words_{top_k}') for top_k in top_ks]


def test_vocabulary_equals_that_of_tft(tiny: Tiny, tmp_path: pathlib.Path) -> None:
    files = sorted(str(path) for path in tiny.examples.glob('Split-train/*'))
    assert len(files) > 1
    counts = count_words(files).words
    sizes = [size - features.RESERVED_IDS for size in (17, 10_000)]
    assert sizes[0] < len(counts) < sizes[1]
    found = [most_frequent(counts, top_k=size) for size in sizes]
    assert found == vocabularies_of_tft(sizes, files, str(tmp_path))
