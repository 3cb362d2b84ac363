"""Compares the presets with scikit-learn on tasks other than IMDB.

Some tasks are derived from the training reviews of IMDB, with the films of one fold
held out. Others are public data sets, with one fold of the texts held out. Neither
IMDB's test split nor texts without a label are used, and only the text and model
settings of a preset matter.
"""

from __future__ import annotations

import functools
import pathlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from sklearn.metrics import average_precision_score

from benchmarks import machine, metrics, tune
from benchmarks.archive import file_hash
from benchmarks.corpora import DEFAULT_FOLDER, Corpus, read
from benchmarks.derive import Task, draw
from benchmarks.harness import say
from components.common.errors import ComponentError
from components.readers.identity import without_numbers, words_of
from pipeline.settings.presets import OWN_PRESETS

HELD_OUT_FOLD = 0
SEED = 1
REFERENCE = 'scikit-learn'
REFERENCE_OF_LETTERS = 'scikit-learn, letters'
# The tutorial keeps one seed: it is here only for comparison.
SEEDED = ('ngram', 'accurate')

# Below this share of positives, the figure is average precision.
_RARE = 0.2
_DRAWS = 300
_INTERVAL_PERCENT = (2.5, 97.5)
# Texts of 20,000 words must fit into memory with their n-grams.
_TEXTS_PER_BATCH = 200

Figure = Callable[[metrics.Floats, metrics.Floats], float]
Contender = Callable[[tune.Films, npt.NDArray[np.bool_]], metrics.Floats]

FIGURES: Mapping[str, Figure] = {
    'accuracy': metrics.accuracy,
    'average_precision': average_precision_score,
}


def run(
    archive: pathlib.Path,
    tasks: Mapping[str, Task | Corpus],
    save: Callable[[dict[str, Any]], None],
    *,
    folder: pathlib.Path = DEFAULT_FOLDER,
    seeds: int = 1,
) -> dict[str, Any]:
    """Train and evaluate all contenders on each task.

    Args:
        archive: The IMDB archive.
        tasks: Derived tasks and public data sets by name.
        save: Called with the results after each task.
        folder: Folder of the public data sets.
        seeds: Number of seeds for each preset in `SEEDED`.

    Returns:
        The content of `results/elsewhere.json` as JSON values.

    Raises:
        ComponentError: A contender returned a value that is not finite.
        DataError: A public data set cannot be read.
    """
    results: dict[str, Any] = {**machine.describe(), 'tasks': []}
    results['data'] = {'archive': archive.name, 'sha256': file_hash(archive)}
    start = time.process_time()
    reviews = tune.read_films(archive)
    for number, (name, task) in enumerate(tasks.items(), start=1):
        say(f'{number}/{len(tasks)}  {task.title}')
        row: dict[str, Any] = {'name': name, 'title': task.title}
        if isinstance(task, Task):
            films = derive(reviews, task)
        else:
            films = read_corpus(task, folder)
            row['sha256'] = {file: file_hash(folder / file) for file in task.files}
        row.update(_compare(films, _contenders(task.without_spaces, seeds)))
        results['tasks'].append(row)
        results['cpu_seconds'] = round(time.process_time() - start, 1)
        save(results)
    return results


def derive(films: tune.Films, task: Task) -> tune.Films:
    """Derive the texts of a task from the reviews. Held-out reviews keep their fold."""
    texts, labels, folds = [], [], []
    for held_out, wanted in ((False, task.training), (True, task.held_out)):
        places = [i for i, f in enumerate(films.folds) if (f == HELD_OUT_FOLD) == held_out]
        for i in draw([films.labels[i] for i in places], wanted, task.one_in, SEED):
            texts.append(task.change(films.texts[places[i]]))
            labels.append(films.labels[places[i]])
            folds.append(films.folds[places[i]])
    return tune.Films(texts, [], labels, folds)


def read_corpus(corpus: Corpus, folder: pathlib.Path) -> tune.Films:
    """Read a public data set. Texts that differ only in numbers or punctuation share a fold.

    Raises:
        DataError: A file cannot be read, or has another format.
    """
    texts, labels = read(corpus, folder)
    folds = [tune.fold_of(without_numbers(words_of(text.encode()))) for text in texts]
    return tune.Films(texts, [], labels, folds)


def _compare(films: tune.Films, contenders: Mapping[str, Sequence[Contender]]) -> dict[str, Any]:
    """Train and evaluate each contender with each of its seeds. The last one is the reference."""
    held_out = np.array(films.folds) == HELD_OUT_FOLD
    labels = np.array(films.labels, np.float64)[held_out]
    # Accuracy means little if most labels are negative.
    figure = 'accuracy' if labels.mean() > _RARE else 'average_precision'
    rows, scores = [], {}
    for name, trials in contenders.items():
        runs, found = [], []
        for score in trials:
            start = time.perf_counter()
            found.append(score(films, held_out))
            seconds = round(time.perf_counter() - start, 2)
            if not np.isfinite(found[-1]).all():
                raise ComponentError(f'{name}: a probability is not finite')
            runs.append({**metrics.quality(labels, found[-1]), 'seconds': seconds})
            del runs[-1]['examples']
            say(f'     {name}: {figure} {runs[-1][figure]:.4f}')
        medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        rows.append({'name': name, **medians, 'runs': runs})
        values = [run[figure] for run in runs]
        scores[name] = found[values.index(statistics.median_low(values))]
    reference = rows[-1]['name']
    for row in rows:
        compare = functools.partial(difference, FIGURES[figure], labels, scores[row['name']])
        if row['name'] in OWN_PRESETS:
            row['ahead'] = compare(scores[reference])
        if row['name'] == 'accurate':
            row['ahead_of_ngram'] = compare(scores['ngram'])
    return {
        'figure': figure,
        'training': int((~held_out).sum()),
        'held_out': len(labels),
        'positives': int(labels.sum()),
        'reference': reference,
        'contenders': rows,
    }


def _contenders(without_spaces: bool, seeds: int) -> dict[str, Sequence[Contender]]:
    """Return the contenders, once for each seed; the last one is the reference."""
    contenders: dict[str, Sequence[Contender]] = {
        preset: [
            functools.partial(preset_probabilities, preset=preset, seed=seed)
            for seed in range(1, 1 + (seeds if preset in SEEDED else 1))
        ]
        for preset in OWN_PRESETS
    }
    contenders[REFERENCE] = [sklearn_probabilities]
    if without_spaces:
        letters = functools.partial(sklearn_probabilities, variant='letters')
        contenders[REFERENCE_OF_LETTERS] = [letters]
    return contenders


def preset_probabilities(
    films: tune.Films, held_out: npt.NDArray[np.bool_], preset: str, seed: int = 1
) -> metrics.Floats:
    """Train the model of a preset, and return its probabilities for the held-out texts."""
    text, trainer = tune.settings_of(preset)
    trainer = trainer.model_copy(update={'seed': seed})
    trained, val = tune.learn(films, text, trainer, held_out)
    tokens = val.ragged()
    logits = [
        trained.model(tokens[start : start + _TEXTS_PER_BATCH], training=False)
        for start in range(0, len(val.labels), _TEXTS_PER_BATCH)
    ]
    probabilities: metrics.Floats = tf.sigmoid(tf.concat(logits, axis=0)[:, 0]).numpy()
    return probabilities.astype(np.float64)


def sklearn_probabilities(
    films: tune.Films, held_out: npt.NDArray[np.bool_], variant: str = ''
) -> metrics.Floats:
    """Train a variant of scikit-learn's TF-IDF; see `preset_probabilities`."""
    from benchmarks.peers.sklearn_models import make_model

    texts, labels = np.array(films.texts, dtype=object), np.array(films.labels)
    model = make_model(variant).fit(texts[~held_out], labels[~held_out])
    probabilities: metrics.Floats = model.predict_proba(texts[held_out])[:, 1]
    return probabilities


def difference(
    figure: Figure,
    labels: metrics.Floats,
    ours: metrics.Floats,
    theirs: metrics.Floats,
) -> dict[str, float]:
    """Return the difference in a metric with its 95% interval from a paired bootstrap.

    Args:
        figure: Function of labels and probabilities.
        labels: 0 or 1, `[texts]`.
        ours: Probabilities, `[texts]`.
        theirs: Probabilities, `[texts]`.

    Returns:
        The difference `by`, and its interval from `low` to `high`.
    """
    rng = np.random.default_rng(SEED)
    groups = [np.flatnonzero(labels == label) for label in (0, 1)]
    found = []
    for _ in range(_DRAWS):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        found.append(figure(labels[drawn], ours[drawn]) - figure(labels[drawn], theirs[drawn]))
    low, high = np.percentile(found, _INTERVAL_PERCENT)
    by = figure(labels, ours) - figure(labels, theirs)
    return {'by': by, 'low': float(low), 'high': float(high)}
