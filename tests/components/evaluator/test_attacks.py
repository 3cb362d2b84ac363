"""Tests that the Evaluator and the Pusher refuse unfit models, and report why."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import shutil
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow_model_analysis as tfma

from components.common import features
from components.common.decision_threshold import THRESHOLD_ASSET
from components.common.errors import ConfigError, DataError
from components.common.model_versions import complete_versions, digest_of_model
from components.evaluator import component
from components.evaluator.evaluation import read_evaluation
from components.evaluator.settings import GateSettings
from components.trainer.dataset import read_split
from components.trainer.fitting import TrainingJob
from components.trainer.models import load_architecture
from tests.components.evaluator.evaluated import Evaluated, Model, evaluate
from tests.components.pusher.evaluations import SETTINGS, run_pusher
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import (
    TEXT,
    Review,
    Tiny,
    build,
    build_nan,
    export_model,
    loaded,
    write_split,
    write_summary,
)
from tests.conftest import snapshot

# A fifth of the labels of test is wrong, so the best possible accuracy is 0.8.
GATE = GateSettings(min_accuracy=0.7, max_accuracy_drop=0.05)
Labels = npt.NDArray[np.float32]


def save(model: keras.Model, tiny: Tiny, folder: pathlib.Path) -> Model:
    """Export a model as the Trainer does."""
    export_model(model, tiny, folder / 'Format-Serving')
    settings = folder / 'Format-Serving' / 'assets.extra' / features.SETTINGS_ASSET
    settings.write_text(json.dumps(SETTINGS))
    artifact = Model()
    artifact.uri, artifact.id = str(folder), 5
    return artifact


def train_on(change: Callable[[Labels], Labels], tiny: Tiny, folder: pathlib.Path) -> Model:
    """Train on the training split with its labels changed, and export."""
    transform = tiny.load_transform()
    train, val = (
        data._replace(labels=change(data.labels))
        for data in (read_split(tiny.pattern(split), transform) for split in features.SPLITS[:2])
    )
    # Single words indicate the label, and a model without longer n-grams is exported quickly.
    settings = trainer_settings('ngram', max_ngram=1)
    job = TrainingJob(loaded(train, val), settings, TEXT, str(folder / 'logs'))
    return save(load_architecture('ngram')(job).model, tiny, folder)


def shuffle(labels: Labels) -> Labels:
    return np.random.default_rng(2).permutation(labels)


def invert(labels: Labels) -> Labels:
    return np.float32(1) - labels


@pytest.fixture(scope='module')
def models(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """Return a model by name; `constant` predicts positive for every text."""
    labels: dict[str, Callable[[Labels], Labels]] = {
        'good': lambda labels: labels,
        'backwards': invert,
        'shuffled': shuffle,
    }

    @functools.cache
    def make(name: str) -> Model:
        folder = tmp_path_factory.mktemp(name)
        if name in labels:
            return train_on(labels[name], tiny, folder)
        model = build_nan() if name == 'nan' else build()
        if name == 'constant':
            *others, bias = [np.zeros_like(weight) for weight in model.get_weights()]
            model.set_weights([*others, bias + 2])
        return save(model, tiny, folder)

    return make


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a serving folder with a live version."""
    version = tmp_path / 'serving' / '7'
    version.mkdir(parents=True)
    (version / 'saved_model.pb').write_bytes(b'live')
    return tmp_path / 'serving'


def replace_test(reviews: list[Review], tiny: Tiny, folder: pathlib.Path) -> Tiny:
    """Return the same data with another test split."""
    write_split(folder / 'examples' / 'Split-test', [reviews[::2], reviews[1::2]])
    positive = sum(label for _, label in reviews)
    write_summary(folder / 'examples', {'test': (len(reviews) - positive, positive)})
    return dataclasses.replace(tiny, examples=folder / 'examples')


def unbalance(reviews: list[Review]) -> list[Review]:
    """Keep one negative review for nine positive ones."""
    positive = [review for review in reviews if review[1]]
    negative = [review for review in reviews if not review[1]]
    return positive + negative[: len(positive) // 9]


def push(found: Evaluated, model: Model, data: Tiny, serving: pathlib.Path) -> bool:
    """Run the Pusher on the outputs of the Evaluator; return whether it pushed."""
    folders = {
        'examples': data.examples,
        'evaluation': pathlib.Path(found.evaluation),
        'baseline': serving.with_name('baseline'),
    }
    pushed = run_pusher(serving, model=model, blessing=found.blessing, folders=folders)
    return bool(pushed.get_int_custom_property('pushed'))


def failed_checks(found: Evaluated) -> dict[str, str]:
    """Return the bound and value of each failed check, by metric."""
    checks = read_evaluation(found.evaluation).thresholds
    return {
        check.metric: f'{check.bound}, got {check.value if check.value is None else "less"}'
        for check in checks
        if not check.passed
    }


def keep_all(reviews: list[Review]) -> list[Review]:
    return reviews


def keep_positives(reviews: list[Review]) -> list[Review]:
    return [review for review in reviews if review[1]]


def invert_labels(reviews: list[Review]) -> list[Review]:
    return [(text, 1 - label) for text, label in reviews]


LOW, MISSING = '>= 0.7000, got less', '>= 0.7000, got None'
AUC_LOW, NO_AUC = {'auc': LOW}, {'auc': MISSING}
BOTH_LOW = {'binary_accuracy': LOW, **AUC_LOW}
SWAPPED = {'baseline_auc': '>= 0.5000, got less'}


@pytest.mark.parametrize(
    ('candidate', 'baseline', 'test', 'expected'),
    [
        pytest.param(candidate, baseline, test, expected, id=attack)
        for attack, candidate, baseline, test, expected in (
            ('labels_were_shuffled', 'shuffled', None, keep_all, BOTH_LOW),
            ('labels_were_inverted', 'backwards', None, keep_all, BOTH_LOW),
            ('it_is_constant_and_nine_of_ten_are_positive', 'constant', None, unbalance, AUC_LOW),
            ('its_weights_are_nan', 'nan', None, keep_all, {'binary_accuracy': MISSING, **NO_AUC}),
            ('test_has_one_class', 'good', None, keep_positives, NO_AUC),
            # In train and test: only the baseline reveals it.
            ('all_labels_of_a_delivery_are_inverted', 'backwards', 'good', invert_labels, SWAPPED),
            ('the_baseline_gives_no_probability', 'good', 'nan', keep_all, None),
        )
    ],
)
def test_nothing_is_pushed_when(
    candidate: str,
    baseline: str | None,
    test: Callable[[list[Review]], list[Review]],
    expected: dict[str, str] | None,
    models: Callable[[str], Model],
    tiny: Tiny,
    serving: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    before = snapshot(serving)
    data = replace_test(test(tiny.reviews['test']), tiny, tmp_path)
    model = models(candidate)
    found = evaluate(tmp_path, data, model, models(baseline) if baseline else None, GATE)
    assert not found.blessed
    assert failed_checks(found)
    if expected is not None:
        assert failed_checks(found) == expected
    assert not push(found, model, data, serving)
    assert snapshot(serving) == before


@pytest.mark.parametrize(
    ('candidate', 'baseline', 'change', 'expected'),
    [
        ('nan', None, keep_all, {'binary_accuracy': MISSING, **NO_AUC}),
        ('backwards', 'good', invert_labels, SWAPPED),
    ],
    ids=['nan', 'swapped_labels'],
)
def test_executor_of_tfx_blesses_nothing_when(
    candidate: str,
    baseline: str | None,
    change: Callable[[list[Review]], list[Review]],
    expected: dict[str, str],
    models: Callable[[str], Model],
    tiny: Tiny,
    tmp_path: pathlib.Path,
) -> None:
    data = replace_test(change(tiny.reviews['test']), tiny, tmp_path)
    served = models(baseline) if baseline else None
    found = evaluate(tmp_path, data, models(candidate), served, GATE, 'stock')
    assert not found.blessed
    assert not tfma.load_validation_result(found.evaluation).validation_ok
    assert failed_checks(found) == expected


@pytest.mark.usefixtures('quick_smoke_tests')
def test_good_model_is_pushed_when_there_is_no_attack(
    models: Callable[[str], Model], tiny: Tiny, serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    # The models above are refused because of the attack, not because of this test.
    data = replace_test(tiny.reviews['test'], tiny, tmp_path)
    good = models('good')
    found = evaluate(tmp_path, data, good, None, GATE)
    assert found.blessed
    assert not failed_checks(found)
    assert push(found, good, data, serving)
    live = next(complete_versions(str(serving)))
    assert digest_of_model(live) == digest_of_model(f'{good.uri}/Format-Serving')


@pytest.mark.parametrize('spoiled', ['no_bounds', 'nothing'])
def test_nothing_is_blessed_when_the_evaluator_gets_no_bounds(
    spoiled: str,
    models: Callable[[str], Model],
    tiny: Tiny,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = {'no_bounds': '{"settings": {}, "columns": {}}', 'nothing': ''}[spoiled]
    monkeypatch.setattr(component, 'write_gate', lambda gate, columns: content)
    message = r'^settings(\.min_accuracy)?: field required, got \{\}$'
    with pytest.raises(ConfigError, match=message):
        evaluate(tmp_path, tiny, models('good'), None, GATE)
    assert not (tmp_path / 'blessing').exists()


@pytest.mark.parametrize('bound', [np.nan, np.inf, 2.0, 0.0])
def test_nothing_is_blessed_when_a_run_overrides_a_bound_with_an_invalid_value(
    bound: float, models: Callable[[str], Model], tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ConfigError, match='^min_auc: .*, got '):
        evaluate(tmp_path, tiny, models('good'), None, GATE, min_auc=bound)
    assert not (tmp_path / 'blessing').exists()


@pytest.mark.parametrize(
    'content',
    ['{"thresh', '{}', '{"threshold": 1}', '{"threshold": "0.5"}', '{"threshold": 1e400}'],
)
def test_nothing_is_blessed_when_the_threshold_of_the_baseline_is_damaged(
    content: str, tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    baseline = Model()
    baseline.uri, baseline.id = str(tmp_path / 'baseline'), 6
    shutil.copytree(models('good').uri, baseline.uri)
    asset = tmp_path / 'baseline' / 'Format-Serving' / 'assets.extra' / THRESHOLD_ASSET
    asset.write_text(content)
    with pytest.raises(DataError, match=r'threshold\.json: expected a .*threshold') as raised:
        evaluate(tmp_path, tiny, models('good'), baseline, GATE)
    assert 'the model is damaged' in raised.value.hint
    assert not (tmp_path / 'blessing').exists()
