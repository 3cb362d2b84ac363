"""Has the stack that runs this make what is compared: runs, compiled pipelines, scores."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import machine
from benchmarks.archive import ROOT, file_hash
from benchmarks.bench import RunError, json_of, say
from benchmarks.contenders import pipeline_command
from benchmarks.harness import Measured, measure
from benchmarks.report import save
from benchmarks.stacks.exchange import Left, own_place, stacks_in
from benchmarks.stacks.probes import COMPILED, probe_texts, sums
from components.common import features
from components.common.errors import ComponentError, DataError
from components.common.fingerprint import stack_versions
from pipeline.cloud.targets import TARGETS

_RUNNER = str(ROOT / 'pipeline_runner.py')
# The command line shows what it is given, so it is given texts of a line.
_TOLD_TEXTS = 20


def make(folder: pathlib.Path, data: pathlib.Path, presets: Sequence[str], seed: int) -> None:
    """Run the pipeline with each preset, and compile it.

    What this stack has left in the folder before is removed.

    Args:
        folder: The exchange.
        data: What to learn from, as `--data` takes it.
        presets: Which.
        seed: Of training.

    Raises:
        DataError: If there are no such data.
        ComponentError: If a run fails, or pushes nothing.
    """
    if not data.exists():
        raise DataError(f'the data are not there: {data}')
    own = own_place(folder.absolute())
    shutil.rmtree(own.folder, ignore_errors=True)
    own.folder.mkdir(parents=True)
    for preset in presets:
        say(f'{own.name}  {preset}: run')
        command = pipeline_command(data.absolute(), own.root(preset), preset, seed)
        outcome = _json(measure([*command, '--serving-dir', str(own.models(preset))], own.folder))
        save(outcome, own.outcome(preset))
        say(f'{own.name}  {preset}: accuracy {outcome["metrics"]["binary_accuracy"]:.4f}; compile')
        _compile(own, preset)
    facts = machine.describe()
    facts.update(
        fingerprinted=stack_versions(),
        code=_code_digest(),
        data={'name': data.name, 'sha256': _digest(data)},
        presets=list(presets),
        seed=seed,
    )
    save(facts, own.facts_file)


def _compile(own: Left, preset: str) -> None:
    for target in TARGETS:
        output = own.compiled(target, preset)
        output.parent.mkdir(exist_ok=True)
        options = [part for option in COMPILED.items() for part in option]
        command = [sys.executable, _RUNNER, 'compile', '--target', target, '--preset', preset]
        _require(measure([*command, '--output', str(output), *options], own.folder))


def answer(folder: pathlib.Path) -> None:
    """Score texts by the models that all stacks have left, and compile as if this were each.

    Args:
        folder: The exchange. This stack must have left something there.

    Raises:
        DataError: If a stack has left nothing, or no model.
        ComponentError: If a model cannot be loaded, or does not score.
    """
    stacks = stacks_in(folder.absolute())
    own = own_place(folder.absolute())
    if own not in stacks:
        hint = 'first: python -m benchmarks stacks measure FOLDER'
        raise DataError(f'{own.name} has left nothing in {folder}', hint=hint)
    for other in stacks:
        place, facts = own.of(other.name), other.facts()
        shutil.rmtree(place.folder, ignore_errors=True)
        for preset in facts['presets']:
            say(f'{own.name}  {preset}: scores by the model of {other.name}')
            save(_scores(other, preset), place.scores(preset))
        say(f'{own.name}  compile as {other.name}')
        module = [sys.executable, '-m', 'benchmarks.stacks.compiling']
        output = place.compiled(TARGETS[0], '').parent
        versions = json.dumps(facts['fingerprinted'])
        _require(measure([*module, str(output), versions, *facts['presets']], own.folder))


def _scores(other: Left, preset: str) -> dict[str, Any]:
    model = other.model(preset)
    module = [sys.executable, '-m', 'benchmarks.stacks.scores']
    scores = _json(measure([*module, str(model)], other.folder))
    # And as a person asks.
    predict = [sys.executable, _RUNNER, 'predict', '--json']
    predict += ['--serving-dir', str(other.models(preset))]
    texts = probe_texts()[-_TOLD_TEXTS:]
    told = _lines(measure([*predict, '--', *texts], other.folder))
    explained = _lines(measure([*predict, '--explain', '--', *texts], other.folder))
    return {
        **scores,
        'predict': [line[features.PROBABILITY_KEY] for line in told],
        'predict --explain': [
            {
                'bias': line['bias'],
                'contributions': sums(
                    [(p['ngram'], p['contribution']) for p in line[features.CONTRIBUTIONS_KEY]]
                ),
            }
            for line in explained
        ],
    }


def _lines(done: Measured) -> list[dict[str, Any]]:
    _require(done)
    return [json.loads(line) for line in done.out.splitlines()]


def _json(done: Measured) -> dict[str, Any]:
    try:
        return json_of(done)
    except RunError as err:
        raise ComponentError(str(err)) from err


def _require(done: Measured) -> None:
    if done.failure:
        raise ComponentError(done.failure)


def _code_digest() -> str:
    """Digest the code that the comparison is of."""
    folders = ('components', 'pipeline', 'benchmarks', 'data')
    # The schema is a part of it.
    kinds = ('*.py', '*.pbtxt')
    files = [path for folder in folders for kind in kinds for path in (ROOT / folder).rglob(kind)]
    return _digest_of(sorted([ROOT / 'pipeline_runner.py', *files]), ROOT)


def _digest(data: pathlib.Path) -> str:
    if data.is_file():
        return file_hash(data)
    return _digest_of(sorted(path for path in data.rglob('*') if path.is_file()), data)


def _digest_of(files: Sequence[pathlib.Path], base: pathlib.Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f'{path.relative_to(base)} {file_hash(path)}\n'.encode())
    return digest.hexdigest()
