"""Runs the Evaluator node on the tiny data set."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tfx.components.evaluator import constants
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from components.common import features
from components.common.settings import Executors
from components.evaluator.component import make_evaluator
from components.evaluator.settings import GateSettings
from components.example_gen.summary import ExamplesSummary
from components.statistics_gen.text_statistics import (
    TEXT_STATISTICS_FILE,
    SplitStatistics,
    TextStatistics,
    to_json,
)
from tests.components.trainer.tiny import Tiny
from tests.conftest import LOCAL_BEAM_ARGS

Model = standard_artifacts.Model


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The outputs of the Evaluator.

    Attributes:
        evaluation: The folder of the ModelEvaluation.
        blessing: The ModelBlessing.
        metrics: Values by model, slice and metric.
    """

    evaluation: str
    blessing: standard_artifacts.ModelBlessing
    metrics: dict[str, dict[str, dict[str, float]]]

    @property
    def blessed(self) -> bool:
        """Whether the model is blessed, by the property and the one file of the artifact."""
        value = self.blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
        (file,) = pathlib.Path(self.blessing.uri).iterdir()
        assert file.name == ('BLESSED' if value else 'NOT_BLESSED')
        return bool(value == 1)


def write_text_statistics(folder: pathlib.Path, examples: int, seen: int) -> None:
    """Write the statistics of the texts of `test`, as StatisticsGen does."""
    split = SplitStatistics(
        name='test',
        examples=examples,
        positive=0,
        negative=examples,
        lengths=[],
        words=0,
        frequent=[],
        unknown=None,
        duplicates=0,
        shared={'train': seen},
        seen=seen,
    )
    path = folder / TEXT_STATISTICS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_json(TextStatistics(splits=[split], drift={}, fingerprint_words=[])))


def evaluate(
    folder: pathlib.Path,
    tiny: Tiny,
    model: Model,
    baseline: Model | None,
    gate: GateSettings,
    executors: Executors = 'fast',
    *,
    seen: int | None = 0,
    columns: Sequence[str] = (),
    **overrides: float,
) -> Evaluated:
    """Run the node on the test split.

    Args:
        folder: Folder of the outputs.
        tiny: The examples.
        model: The candidate.
        baseline: The baseline, None if there is none.
        gate: The bounds.
        executors: Whose executor runs.
        seen: Number of texts of `test` that are also in `train` or `val`; None if there are no
            such statistics.
        columns: The feature columns of the examples, as `NAME:TYPE`.
        overrides: Bounds that the run overrides.
    """
    examples, evaluation, blessing = (
        standard_artifacts.Examples(),
        standard_artifacts.ModelEvaluation(),
        standard_artifacts.ModelBlessing(),
    )
    examples.uri = str(tiny.examples)
    examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, 'tfrecords_gzip')
    evaluation.uri, blessing.uri = str(folder / 'evaluation'), str(folder / 'blessing')
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / 'statistics')
    if seen is not None:
        count = ExamplesSummary.read(str(tiny.examples)).examples('test')
        write_text_statistics(folder / 'statistics', count, seen)
    node = make_evaluator(
        *(channel_utils.as_channel([artifact]) for artifact in (examples, model, model)),
        gate,
        executors,
        statistics=channel_utils.as_channel([statistics]),
        feature_columns=columns,
    )
    assert node.id == 'Evaluator'
    executor_class = node.executor_spec.executor_class
    context = executor_class.Context(
        beam_pipeline_args=LOCAL_BEAM_ARGS, tmp_dir=str(folder / 'tmp'), unique_id='1'
    )
    inputs = {'examples': [examples], 'model': [model], 'statistics': [statistics]}
    executor_class(context).Do(
        inputs | ({'baseline_model': [baseline]} if baseline else {}),
        {'evaluation': [evaluation], 'blessing': [blessing]},
        {**node.exec_properties, **overrides},
    )
    metrics: Any = collections.defaultdict(lambda: collections.defaultdict(dict))
    for record in tfma.load_metrics(evaluation.uri):
        where = ','.join(
            f'{key.column}={key.bytes_value.decode()}' for key in record.slice_key.single_slice_keys
        )
        for item in record.metric_keys_and_values:
            of_model = 'diff' if item.key.is_diff else item.key.model_name
            metrics[of_model][where][item.key.name] = item.value.double_value.value
    return Evaluated(evaluation=evaluation.uri, blessing=blessing, metrics=metrics)
