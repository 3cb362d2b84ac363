"""Runs the Pusher, and writes an evaluation and a summary as the nodes before it do."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
from tfx.types import channel_utils, standard_artifacts

from components.common.settings import TextSettings
from components.evaluator.estimation.estimates import Scores, estimate_slices
from components.evaluator.evaluation import write_evaluation as store_evaluation
from components.evaluator.gate import judge
from components.evaluator.measure import Measured, to_evaluation
from components.evaluator.score_files import ScoreColumns
from components.evaluator.settings import GateSettings
from components.evaluator.slices import find_slices
from components.example_gen.summary import ExamplesSummary
from components.pusher.component import make_pusher
from components.served_baseline.baseline import (
    NO_BASELINE_FILE,
    VERSION_FILE,
    ServedVersion,
    find_baseline,
)
from tests.components.trainer.settings import trainer_settings

GATE = GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01, slices={'11-50': 0.7})
SUMMARY = ExamplesSummary(
    splits={'train': (600, 400), 'val': (60, 40), 'test': (120, 80)},
    labels=('neg', 'pos'),
    rejected={'empty text': 3},
    unlabelled=5_000,
    sources=('a/*.csv',),
)
# Of the training, as the Trainer exports them.
SETTINGS = {
    'trainer': trainer_settings('ngram').model_dump(),
    'text': TextSettings().model_dump(),
}
# Of the test split, by length in words.
SLICES = {'11-50': 150, '51-100': 50}


def run_pusher(
    serving: pathlib.Path,
    *,
    model: standard_artifacts.Model,
    blessing: standard_artifacts.ModelBlessing,
    folders: Mapping[str, pathlib.Path],
    before_push: Callable[[], object] = lambda: None,
) -> standard_artifacts.PushedModel:
    """Run the node.

    Args:
        serving: The folder of pushed versions.
        model: The candidate.
        blessing: The verdict of the Evaluator.
        folders: Those of the artifacts `examples` and `evaluation`, and of `baseline`, in
            which a note about the served version is written.
        before_push: Called between ServedBaseline and the Pusher.
    """
    baseline, evaluation, examples, pushed = (
        standard_artifacts.Model(),
        standard_artifacts.ModelEvaluation(),
        standard_artifacts.Examples(),
        standard_artifacts.PushedModel(),
    )
    baseline.uri, evaluation.uri, examples.uri = (
        str(folders[name]) for name in ('baseline', 'evaluation', 'examples')
    )
    candidate = f'{model.uri}/Format-Serving'
    write_baseline(folders['baseline'], find_baseline(str(serving), candidate))
    examples.split_names = '["train", "val", "test"]'
    examples.set_string_custom_property('spans', '2 spans 3 to 4')
    inputs = {
        'model': [model],
        'model_blessing': [blessing],
        'baseline_model': [baseline],
        'evaluation': [evaluation],
        'examples': [examples],
    }
    channels = {name: channel_utils.as_channel(found) for name, found in inputs.items()}
    node = make_pusher(**channels, serving_dir=str(serving), name='sentiment', fingerprint='f1')
    assert node.id == 'Pusher'
    before_push()
    node.executor_spec.executor_class().Do(
        inputs, {'pushed_model': [pushed]}, dict(node.exec_properties)
    )
    return pushed


def write_baseline(folder: pathlib.Path, served: ServedVersion | None) -> None:
    """Write the note of a baseline artifact; the Pusher reads nothing else of it."""
    folder.mkdir(parents=True, exist_ok=True)
    if served is None:
        (folder / NO_BASELINE_FILE).touch()
    else:
        (folder / NO_BASELINE_FILE).unlink(missing_ok=True)
        (folder / VERSION_FILE).write_text(json.dumps(served._asdict()))


def write_evaluation(
    folder: pathlib.Path, accuracy: float, baseline_accuracy: float | None = None
) -> None:
    """Write an Evaluation artifact, in which so many of each slice are right."""
    shares = {'candidate': accuracy, 'baseline': baseline_accuracy}
    lengths = np.repeat(np.array(list(SLICES), object), list(SLICES.values()))
    labels = np.concatenate([np.arange(count) % 2 for count in SLICES.values()]).astype(np.int8)
    rank = np.concatenate([np.arange(count) / count for count in SLICES.values()])
    predictions = {
        model: np.where((rank < share) == (labels == 1), 0.9, 0.1)
        for model, share in shares.items()
        if share is not None
    }
    slices = find_slices(
        {'length': lengths},
        [pattern for pattern, _ in GATE.slice_bounds()],
        examples=len(labels),
        min_examples=GATE.min_slice_examples,
    )
    thresholds = dict.fromkeys(predictions, 0.5)
    rows = {name: found.rows for name, found in slices.slices.items()}
    estimates = estimate_slices(Scores(labels, predictions, thresholds), rows)
    rulings = judge(GATE, estimates, slices.by_pattern, test_overlap=0.492)
    measured = Measured(
        scores=ScoreColumns([], *[np.zeros(0)] * 3, {}, {}),
        thresholds=thresholds,
        slices=slices,
        estimates=estimates,
        level=0.95,
        examples_needed=None,
        test_overlap=0.492,
    )
    checks = [ruling.check for ruling in rulings]
    store_evaluation(to_evaluation(GATE, measured, checks), str(folder))
