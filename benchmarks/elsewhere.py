"""Compares the presets with scikit-learn on tasks other than IMDB.

The tasks are derived from the training reviews of IMDB, with the films of one fold
held out. Neither the test split nor texts without a label are used, and only the
text and model settings of a preset matter.
"""

from __future__ import annotations

import functools
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from sklearn.metrics import average_precision_score

from benchmarks import machine, metrics, tune
from benchmarks.archive import file_hash
from benchmarks.derive import Task, draw
from benchmarks.harness import say
from components.common.errors import ComponentError
from pipeline.settings.presets import OWN_PRESETS

HELD_OUT_FOLD = 0
SEED = 1
REFERENCE = 'scikit-learn'
REFERENCE_OF_LETTERS = 'scikit-learn, letters'

_DRAWS = 300
_INTERVAL_PERCENT = (2.5, 97.5)
# Texts of 20,000 words must fit into memory with their n-grams.
_TEXTS_PER_BATCH = 200

Figure = Callable[[metrics.Floats, metrics.Floats], float]

FIGURES: Mapping[str, Figure] = {
    'accuracy': metrics.accuracy,
    'average_precision': average_precision_score,
}


def run(
    archive: pathlib.Path, tasks: Mapping[str, Task], save: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Train and evaluate all contenders on each task.

    Args:
        archive: The IMDB archive.
        tasks: Tasks by name.
        save: Called with the results after each task.

    Returns:
        The content of `results/elsewhere.json` as JSON values.

    Raises:
        ComponentError: A contender returned a value that is not finite.
    """
    results: dict[str, Any] = {**machine.describe(), 'tasks': []}
    results['data'] = {'archive': archive.name, 'sha256': file_hash(archive)}
    start = time.process_time()
    films = tune.read_films(archive)
    for number, (name, task) in enumerate(tasks.items(), start=1):
        say(f'{number}/{len(tasks)}  {task.title}')
        row = {'name': name, 'title': task.title, **_compare(derive(films, task), task)}
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


def _compare(films: tune.Films, task: Task) -> dict[str, Any]:
    held_out = np.array(films.folds) == HELD_OUT_FOLD
    labels = np.array(films.labels, np.float64)[held_out]
    # Accuracy means little if 19 of 20 labels are negative.
    figure = 'accuracy' if task.one_in == 2 else 'average_precision'
    rows = []
    scores = {}
    for name, score in _contenders(task).items():
        start = time.perf_counter()
        scores[name] = score(films, held_out)
        seconds = round(time.perf_counter() - start, 2)
        if not np.isfinite(scores[name]).all():
            raise ComponentError(f'{name}: a probability is not finite')
        row = {'name': name, **metrics.quality(labels, scores[name]), 'seconds': seconds}
        del row['examples']
        rows.append(row)
        say(f'     {name}: {figure} {row[figure]:.4f}')
    reference = rows[-1]['name']
    for row in rows:
        if row['name'] in OWN_PRESETS:
            ours, theirs = scores[row['name']], scores[reference]
            row['ahead'] = difference(FIGURES[figure], labels, ours, theirs)
    return {
        'figure': figure,
        'training': int((~held_out).sum()),
        'held_out': len(labels),
        'positives': int(labels.sum()),
        'reference': reference,
        'contenders': rows,
    }


def _contenders(task: Task) -> dict[str, Callable[..., metrics.Floats]]:
    """Return the contenders; the last one is the reference."""
    contenders: dict[str, Callable[..., metrics.Floats]] = {
        preset: functools.partial(preset_probabilities, preset=preset) for preset in OWN_PRESETS
    }
    contenders[REFERENCE] = sklearn_probabilities
    if task.without_spaces:
        letters = functools.partial(sklearn_probabilities, variant='letters')
        contenders[REFERENCE_OF_LETTERS] = letters
    return contenders


def preset_probabilities(
    films: tune.Films, held_out: npt.NDArray[np.bool_], preset: str
) -> metrics.Floats:
    """Train the model of a preset, and return its probabilities for the held-out texts."""
    text, trainer = tune.settings_of(preset)
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
