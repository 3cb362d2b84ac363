"""Compares the presets with scikit-learn on other tasks than IMDB's.

The tasks are derived from IMDB's training reviews, one fold of the films held
out; the test split is not read. Texts without a label are left out, since most
data has none and scikit-learn would not use them. What a preset has beside
text and model (how data is split, the gate) plays no part.
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
from components.common.settings import TextSettings, TrainerSettings
from pipeline.settings.presets import PRESETS

HELD_OUT_FOLD = 0
SEED = 1
REFERENCE = 'scikit-learn'
REFERENCE_OF_LETTERS = 'scikit-learn, letters'

_DRAWS = 300
_INTERVAL_PERCENT = (2.5, 97.5)
# So that 20,000 words a text fit into memory, n-grams and all.
_TEXTS_PER_BATCH = 200

Figure = Callable[[metrics.Floats, metrics.Floats], float]


def accuracy(labels: metrics.Floats, probabilities: metrics.Floats) -> float:
    """Return the share of texts that are on the right side of one half."""
    return float(np.mean((probabilities > 0.5) == (labels == 1)))


FIGURES: Mapping[str, Figure] = {
    'accuracy': accuracy,
    'average_precision': metrics.average_precision,
}


def run(films: tune.Films, tasks: Mapping[str, Task] = TASKS) -> Iterator[dict[str, Any]]:
    """Train and measure all contenders on all tasks, and yield a row for each.

    Raises:
        ComponentError: A contender gave what is no probability.
        ModuleNotFoundError: scikit-learn is not installed.
    """
    # Whether it is installed is said before minutes are spent on the presets.
    importlib.import_module('sklearn')

    for number, (name, task) in enumerate(tasks.items(), start=1):
        derived = derive(films, task)
        print(f'{number}/{len(tasks)}  {task.title}', file=sys.stderr, flush=True)
        yield {'name': name, 'title': task.title, **_compare(derived, task)}


def results(
    archive: pathlib.Path, tasks: Mapping[str, Task], output: pathlib.Path | None = None
) -> dict[str, Any]:
    """Return what `results/elsewhere.json` holds, as JSON values.

    Args:
        archive: The IMDB archive.
        tasks: By name.
        output: Where results are kept, after each task; none: nowhere.
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
    """Make a task's texts of the reviews; what is held out keeps its fold."""
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
    # Accuracy says nothing where "negative" is right 19 times in 20.
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
    """Yield what each contender says; last the one of scikit-learn that fits the task best."""
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
    """Train a preset's model, and return its probabilities of the texts held out."""
    settings = PRESETS[preset]
    text = TextSettings.model_validate(settings['text'])
    trainer = TrainerSettings.model_validate({**settings['trainer'], 'fit_to_val': False})
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
    """Do the same with scikit-learn: of words and bigrams, or of letters."""
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
    """Say by how much a figure is higher, and how much of that may be chance.

    The same texts are drawn for both, with replacement and label by label.

    Args:
        figure: Of labels and probabilities.
        labels: 0 or 1 `[texts]`.
        ours: Probabilities `[texts]`.
        theirs: Likewise.

    Returns:
        `by`, and `low` and `high`, between which 95 in 100 draws lie.
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
