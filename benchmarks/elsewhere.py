"""Compares the presets with scikit-learn on tasks other than IMDB.

The tasks are derived from the training reviews of IMDB, with the films of one fold
held out. Neither the test split nor texts without a label are used, and only the
text and model settings of a preset matter.
"""

from __future__ import annotations

import functools
import importlib
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmarks import machine, metrics, report, tune
from benchmarks.archive import file_hash
from benchmarks.derive import TASKS, Task, draw
from components.common.errors import ComponentError
from pipeline.settings.presets import PRESETS

HELD_OUT_FOLD = 0
SEED = 1
REFERENCE = 'scikit-learn'
REFERENCE_OF_LETTERS = 'scikit-learn, letters'

_DRAWS = 300
_INTERVAL_PERCENT = (2.5, 97.5)
# Texts of 20,000 words must fit into memory with their n-grams.
_TEXTS_PER_BATCH = 200

Figure = Callable[[metrics.Floats, metrics.Floats], float]


def accuracy(labels: metrics.Floats, probabilities: metrics.Floats) -> float:
    """Return the share of texts whose probability is on the right side of 0.5."""
    return float(np.mean((probabilities > 0.5) == (labels == 1)))


FIGURES: Mapping[str, Figure] = {
    'accuracy': accuracy,
    'average_precision': metrics.average_precision,
}


def run(films: tune.Films, tasks: Mapping[str, Task] = TASKS) -> Iterator[dict[str, Any]]:
    """Train and evaluate all contenders on each task, and yield a row per task.

    Raises:
        ComponentError: A contender returned a value that is not finite.
        ModuleNotFoundError: scikit-learn is not installed.
    """
    # Fail before minutes are spent on the presets.
    importlib.import_module('sklearn')

    for number, (name, task) in enumerate(tasks.items(), start=1):
        derived = derive(films, task)
        print(f'{number}/{len(tasks)}  {task.title}', file=sys.stderr, flush=True)
        yield {'name': name, 'title': task.title, **_compare(derived, task)}


def results(
    archive: pathlib.Path, tasks: Mapping[str, Task], output: pathlib.Path | None = None
) -> dict[str, Any]:
    """Return the content of `results/elsewhere.json` as JSON values.

    Args:
        archive: The IMDB archive.
        tasks: Tasks by name.
        output: File to write after each task, or None.
    """
    found: dict[str, Any] = {**machine.describe(), 'tasks': []}
    found['data'] = {'archive': archive.name, 'sha256': file_hash(archive)}
    start = time.process_time()
    for row in run(tune.read_films(archive), tasks):
        found['tasks'].append(row)
        found['cpu_seconds'] = round(time.process_time() - start, 1)
        if output is not None:
            report.save(found, output)
    return found


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


class _Scored(NamedTuple):
    name: str
    probabilities: metrics.Floats
    seconds: float


def _compare(films: tune.Films, task: Task) -> dict[str, Any]:
    held_out = np.array(films.folds) == HELD_OUT_FOLD
    labels = np.array(films.labels, np.float64)[held_out]
    # Accuracy means little if 19 of 20 labels are negative.
    figure = 'accuracy' if task.one_in == 2 else 'average_precision'
    scored = list(_score_all(films, held_out, letters=task.without_spaces))
    reference = scored[-1].probabilities
    rows = []
    for one in scored:
        row = {
            'name': one.name,
            **metrics.quality(labels, one.probabilities),
            'average_precision': metrics.average_precision(labels, one.probabilities),
            'seconds': round(one.seconds, 2),
        }
        del row['examples']
        if one.name in PRESETS:
            row['ahead'] = difference(FIGURES[figure], labels, one.probabilities, reference)
        rows.append(row)
        print(f'     {one.name}: {figure} {row[figure]:.4f}', file=sys.stderr, flush=True)
    return {
        'figure': figure,
        'training': int((~held_out).sum()),
        'held_out': len(labels),
        'positives': int(labels.sum()),
        'reference': scored[-1].name,
        'contenders': rows,
    }


def _score_all(
    films: tune.Films, held_out: npt.NDArray[np.bool_], *, letters: bool
) -> Iterator[_Scored]:
    """Yield the scores of each contender; the reference is the last one."""
    contenders: dict[str, Callable[[], metrics.Floats]] = {
        preset: functools.partial(preset_probabilities, films, held_out, preset)
        for preset in PRESETS
    }
    contenders[REFERENCE] = functools.partial(sklearn_probabilities, films, held_out)
    if letters:
        contenders[REFERENCE_OF_LETTERS] = functools.partial(
            sklearn_probabilities, films, held_out, letters=True
        )
    for name, score in contenders.items():
        start = time.perf_counter()
        probabilities = score()
        if not np.isfinite(probabilities).all():
            raise ComponentError(f'{name}: a probability is not finite')
        yield _Scored(name, probabilities, time.perf_counter() - start)


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
    films: tune.Films, held_out: npt.NDArray[np.bool_], *, letters: bool = False
) -> metrics.Floats:
    """Train scikit-learn, on words and bigrams or on letters; see `preset_probabilities`."""
    from benchmarks.peers import sklearn_tfidf

    model = sklearn_tfidf.make_of_letters() if letters else sklearn_tfidf.make_default()
    rows = [
        [(films.texts[i], films.labels[i]) for i in np.flatnonzero(part)]
        for part in (~held_out, held_out)
    ]
    model.fit(*zip(*rows[0]))
    probabilities: metrics.Floats = model.predict_proba([text for text, _ in rows[1]])[:, 1]
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
