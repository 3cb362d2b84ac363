"""All contenders, on invented reviews of invented films."""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as cli
from benchmarks import derive, elsewhere, metrics, tune
from components.common.errors import ComponentError
from pipeline.settings.presets import OWN_PRESETS
from tests.components.example_gen.samples import encode_archive

FILMS = 40
REVIEWS = 160
WORDS = ('dull bad poor weak', 'great good fine warm')
FILLER = 'the film has a plot and some people in it who talk of this and that'


def make_review(number: int, label: int) -> str:
    rng = random.Random(number * 2 + label)
    words = rng.choices(FILLER.split(), k=rng.randint(5, 12))
    words += rng.choices(WORDS[label].split(), k=2)
    rng.shuffle(words)
    return f'I saw it.<br />{" ".join(words)}!'


@pytest.fixture(scope='module')
def archive(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Make an archive in the layout of IMDB's, with films and without a test split."""
    path = tmp_path_factory.mktemp('archive') / 'tiny.tar.gz'
    files: dict[str, str] = {}
    for label, name in enumerate(('neg', 'pos')):
        films = [f'http://www.imdb.com/title/tt{number % FILMS}/' for number in range(REVIEWS)]
        files[f'urls_{name}.txt'] = '\n'.join(films)
        for number in range(REVIEWS):
            files[f'{name}/{number}_5.txt'] = make_review(number, label)
    members = [(f'aclImdb/train/{name}', text.encode()) for name, text in files.items()]
    path.write_bytes(encode_archive(members))
    return path


def test_no_text_is_on_both_sides_when_a_task_is_derived(archive: pathlib.Path) -> None:
    films = tune.read_films(archive)
    fold_of = {derive.cyrillic(text): fold for text, fold in zip(films.texts, films.folds)}
    derived = elsewhere.derive(films, derive.TASKS['cyrillic'])
    assert [fold_of[text] for text in derived.texts] == derived.folds
    assert 0 < derived.folds.count(elsewhere.HELD_OUT_FOLD) < len(derived.folds) / 2
    assert derived.unlabelled == []


@pytest.mark.parametrize('held_out', [False, True])
def test_one_in_20_is_positive_in_both_parts_when_labels_are_unbalanced(
    archive: pathlib.Path, held_out: bool
) -> None:
    derived = elsewhere.derive(tune.read_films(archive), derive.TASKS['unbalanced'])
    labels = [
        label
        for label, fold in zip(derived.labels, derived.folds)
        if (fold == elsewhere.HELD_OUT_FOLD) == held_out
    ]
    assert sum(labels) * 20 == len(labels) > 0


def test_all_contenders_are_measured_and_kept_when_lengths_are_uneven(
    archive: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(derive, 'LONG_WORDS', 2_000)
    output = tmp_path / 'elsewhere.json'
    command = ['elsewhere', '--data', str(archive), '--only', 'uneven', '--output', str(output)]
    assert cli.exit_code(command) == 0
    results = json.loads(output.read_text())
    (task,) = results['tasks']
    assert [row['name'] for row in task['contenders']] == [*OWN_PRESETS, elsewhere.REFERENCE]
    assert task['positives'] * 2 == task['held_out'] > 0
    by_name = {row['name']: row for row in task['contenders']}
    # The long ones, half of all, reveal their label; of the others, half are right by chance.
    for name in ('ngram', 'accurate', elsewhere.REFERENCE):
        assert by_name[name]['accuracy'] > 0.65
    shown = capsys.readouterr().out
    assert '2 characters or 20,000 words' in shown
    assert all(f'{row["auc"]:.4f}' in shown for row in task['contenders'])


def test_contenders_read_letters_when_a_script_has_no_spaces(archive: pathlib.Path) -> None:
    films = elsewhere.derive(tune.read_films(archive), derive.TASKS['without-spaces'])
    held_out = np.array(films.folds) == elsewhere.HELD_OUT_FOLD
    labels = np.array(films.labels, float)[held_out]
    ours = elsewhere.preset_probabilities(films, held_out, 'ngram')
    theirs = elsewhere.sklearn_probabilities(films, held_out, 'letters')
    for probabilities in (ours, theirs):
        assert metrics.quality(labels, probabilities)['auc'] > 0.95


def test_original_and_cyrillic_letters_give_the_same_probabilities(archive: pathlib.Path) -> None:
    films = tune.read_films(archive)
    held_out = np.array(films.folds) == elsewhere.HELD_OUT_FOLD
    mapped = films._replace(texts=[derive.cyrillic(text) for text in films.texts])
    one, other = (
        elsewhere.preset_probabilities(each, held_out, 'ngram') for each in (films, mapped)
    )
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert one.std() > 0.1


def test_run_fails_when_a_probability_is_not_finite(
    archive: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def score(films: tune.Films, held_out: Any, preset: str) -> Any:
        return np.full(held_out.sum(), np.nan)

    monkeypatch.setattr(elsewhere, 'preset_probabilities', score)
    with pytest.raises(ComponentError, match='ngram: a probability is not finite'):
        elsewhere.run(archive, {'few': derive.TASKS['few']}, pytest.fail)


def noisy(labels: Any, noise: float, seed: int) -> Any:
    return np.clip(labels + np.random.default_rng(seed).normal(0, noise, len(labels)), 0, 1)


@pytest.mark.parametrize('figure', list(elsewhere.FIGURES))
def test_difference_is_significant_only_when_there_is_one(figure: str) -> None:
    labels = np.array([0.0, 1.0] * 500)
    close, alike, far = noisy(labels, 0.5, 1), noisy(labels, 0.5, 2), noisy(labels, 0.8, 3)
    function = elsewhere.FIGURES[figure]
    ahead = elsewhere.difference(function, labels, close, far)
    assert 0 < ahead['low'] < ahead['by'] < ahead['high']
    behind = elsewhere.difference(function, labels, far, close)
    assert behind['high'] < 0
    chance = elsewhere.difference(function, labels, close, alike)
    assert chance['low'] < 0 < chance['high']
