"""All contenders, on invented reviews of invented films."""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as cli
from benchmarks import derive, elsewhere, metrics, report, tune
from benchmarks.corpora import CORPORA
from components.common.errors import ComponentError, DataError
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

    def score(films: tune.Films, held_out: Any, preset: str, seed: int) -> Any:
        return np.full(held_out.sum(), np.nan)

    monkeypatch.setattr(elsewhere, 'preset_probabilities', score)
    with pytest.raises(ComponentError, match='ngram: a probability is not finite'):
        elsewhere.run(archive, {'few': derive.TASKS['few']}, pytest.fail)


def test_median_run_is_compared_when_there_are_several_seeds(
    archive: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: dict[str, list[int]] = {}
    wrong = {'ngram': (4, 8, 6), 'accurate': (9, 7, 70), 'tutorial': (5,)}

    def score(films: tune.Films, held_out: Any, preset: str, seed: int) -> Any:
        seeds.setdefault(preset, []).append(seed)
        labels = np.array(films.labels, float)[held_out]
        count = wrong[preset][seed - 1]
        labels[:count] = 1 - labels[:count]
        return labels

    monkeypatch.setattr(elsewhere, 'preset_probabilities', score)
    tasks = {'few': derive.TASKS['few']}
    (task,) = elsewhere.run(archive, tasks, lambda _: None, seeds=3)['tasks']
    assert seeds == {'ngram': [1, 2, 3], 'accurate': [1, 2, 3], 'tutorial': [1]}
    by_name = {row['name']: row for row in task['contenders']}
    for name, median in (('ngram', 6), ('accurate', 9), ('tutorial', 5)):
        row, held_out = by_name[name], task['held_out']
        expected = [1 - count / held_out for count in wrong[name]]
        assert [run['accuracy'] for run in row['runs']] == pytest.approx(expected)
        assert row['accuracy'] == pytest.approx(1 - median / held_out)
        assert row['ahead']['by'] == pytest.approx(
            row['accuracy'] - by_name[elsewhere.REFERENCE]['accuracy']
        )
    against_ngram = by_name['accurate']['ahead_of_ngram']
    assert against_ngram['by'] == pytest.approx(-3 / held_out)
    assert [name for name, row in by_name.items() if 'ahead_of_ngram' in row] == ['accurate']


def test_seed_reaches_the_trainer(archive: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(films: tune.Films, text: Any, trainer: Any, held_out: Any) -> Any:
        raise KeyboardInterrupt(trainer.seed)

    monkeypatch.setattr(tune, 'learn', learn)
    with pytest.raises(KeyboardInterrupt, match='7'):
        elsewhere.preset_probabilities(tune.read_films(archive), np.array([]), 'ngram', seed=7)


@pytest.fixture
def with_spam(tmp_path: pathlib.Path) -> pathlib.Path:
    """Make a folder of public data sets that has only the messages: one in 10 is spam."""
    lines = [f'{("ham", "spam")[i % 10 == 0]}\t{make_review(i, i % 10 == 0)}' for i in range(200)]
    (tmp_path / 'SMSSpamCollection').write_text('\n'.join(lines), encoding='utf-8')
    return tmp_path


def test_public_data_set_is_compared_by_average_precision_when_few_are_positive(
    archive: pathlib.Path, with_spam: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def score(films: tune.Films, held_out: Any, preset: str, seed: int) -> Any:
        return np.array(films.labels, float)[held_out]

    monkeypatch.setattr(elsewhere, 'preset_probabilities', score)
    tasks = {'sms-spam': CORPORA['sms-spam']}
    (task,) = elsewhere.run(archive, tasks, lambda _: None, folder=with_spam)['tasks']
    assert task['figure'] == 'average_precision'
    assert task['training'] + task['held_out'] == 200
    assert list(task['sha256']) == ['SMSSpamCollection']
    assert task['contenders'][0]['average_precision'] == 1


@pytest.mark.parametrize('only', [None, 'few,sms-spam,hotels'])
def test_data_sets_are_skipped_and_nothing_is_published_when_files_are_missing(
    only: str | None,
    archive: pathlib.Path,
    with_spam: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_: pathlib.Path, tasks: Any, save: Any, *, folder: pathlib.Path, seeds: int) -> Any:
        expected = ['few', 'sms-spam'] if only else [*derive.TASKS, 'sms-spam']
        assert (list(tasks), folder, seeds) == (expected, with_spam, 3)
        save({})
        return {'tasks': []}

    monkeypatch.setattr(elsewhere, 'run', run)
    monkeypatch.setattr(report, 'ELSEWHERE_FILE', with_spam / 'published.json')
    command = ['elsewhere', '--data', str(archive), '--corpora', str(with_spam), '--seeds', '3']
    assert cli.exit_code([*command, *(['--only', only] if only else [])]) == 0
    skipped = capsys.readouterr().err.splitlines()
    assert f'skipped hotels: {with_spam} has no ChnSentiCorp_htl_all.csv' in skipped
    assert len(skipped) == (1 if only else 3)
    assert not (with_spam / 'published.json').exists()


def test_command_fails_when_all_tasks_are_skipped(
    archive: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ['elsewhere', '--data', str(archive), '--corpora', str(tmp_path), '--only', 'hotels']
    assert cli.exit_code(command) == DataError.exit_code
    assert 'no task to run' in capsys.readouterr().err


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
