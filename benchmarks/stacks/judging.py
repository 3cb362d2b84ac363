"""Judges what two stacks have left: what must be equal, and how nearly."""

from __future__ import annotations

import itertools
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.report import load
from benchmarks.stacks.exchange import Left, stacks_in
from benchmarks.stacks.specs import unexplained
from components.common import features
from components.common.errors import DataError
from pipeline.cloud.targets import TARGETS

MAX_ACCURACY_DIFFERENCE = 0.003
# Of a probability, and of what an n-gram adds to a logit.
MAX_SCORE_DIFFERENCE = 1e-4
METRICS = ('binary_accuracy', 'loss', 'auc')


def judge(folder: pathlib.Path) -> dict[str, Any]:
    """Compare what two stacks have left.

    Args:
        folder: The exchange.

    Returns:
        JSON values: `stacks`, what each is; `presets`, of each the metrics by
        stack, and by whose model it is how far apart the stacks' probabilities
        and explanations are; and `violations`, a line for each demand that is
        not met.

    Raises:
        DataError: If there are not two stacks, they did not do the same, or
            one has not answered the other.
    """
    stacks = stacks_in(folder)
    if len(stacks) != 2:
        names = ', '.join(stack.name for stack in stacks)
        raise DataError(f'expected what two stacks have left in {folder}, got {names}')
    facts = {stack.name: stack.facts() for stack in stacks}
    _require_same_task(facts)
    presets = facts[stacks[0].name]['presets']
    rows = {preset: _compare(stacks, preset) for preset in presets}
    violations = [line for preset, row in rows.items() for line in _violations(preset, row)]
    for preset, target, (one, other) in itertools.product(
        presets, TARGETS, itertools.permutations(stacks)
    ):
        found = unexplained(
            one.of(other.name).compiled(target, preset).read_text(encoding='utf-8'),
            other.compiled(target, preset).read_text(encoding='utf-8'),
            *(facts[stack.name]['versions'] for stack in (one, other)),
        )
        violations += [
            f'{preset}, compiled for {target}: {path} is {ours!r} by {one.name} (as if it had the '
            f'versions of {other.name}), and {theirs!r} by {other.name}'
            for path, ours, theirs in found
        ]
    return {'stacks': facts, 'presets': rows, 'violations': violations}


def _require_same_task(facts: Mapping[str, Mapping[str, Any]]) -> None:
    one, other = facts.values()
    for name in ('code', 'data', 'presets', 'seed'):
        if one[name] != other[name]:
            raise DataError(
                f'the stacks did not do the same: {name} is {one[name]}, and {other[name]}',
                hint='measure both anew',
            )


def _compare(stacks: Sequence[Left], preset: str) -> dict[str, Any]:
    metrics = {stack.name: load(stack.outcome(preset))['metrics'] for stack in stacks}
    return {
        'metrics': {
            name: {metric: found[metric] for metric in METRICS} for name, found in metrics.items()
        },
        'models': {
            owner.name: spreads([load(one.of(owner.name).scores(preset)) for one in stacks])
            for owner in stacks
        },
    }


def spreads(answers: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Tell how far apart are all answers of one model, by any stack and any way of asking.

    Args:
        answers: Of each stack, see `benchmarks.stacks.making.answer`.

    Returns:
        `probability`, and `explanation`: the largest difference of the bias, or
        of what one n-gram adds to a logit. NaN if any value is.
    """
    probabilities = [answer[features.TEXT_SIGNATURE] for answer in answers]
    explained = [answer[features.EXPLAIN_SIGNATURE] for answer in answers]
    # The command line was asked about the last texts alone.
    told = len(answers[0]['predict'])
    return {
        'probability': _largest(
            spread([*probabilities, *(answer[features.EXAMPLES_SIGNATURE] for answer in answers)]),
            spread([of[-told:] for of in probabilities] + [a['predict'] for a in answers]),
        ),
        'explanation': _largest(
            *_spreads_of_explanations(explained),
            *_spreads_of_explanations(
                [of[-told:] for of in explained] + [a['predict --explain'] for a in answers]
            ),
        ),
    }


def spread(lists: Sequence[Sequence[float]]) -> float:
    """Return the largest difference of two values at the same place; NaN if any value is.

    >>> spread([[0.5, 0.25], [0.5, 0.75]])
    0.5
    """
    if len({len(values) for values in lists}) != 1:
        raise DataError(f'expected as many values of each, got {[len(v) for v in lists]}')
    # The largest of values and NaN would be either, depending on their order.
    return _largest(*(max(values) - min(values) + 0 * sum(values) for values in zip(*lists)))


def _largest(*values: float) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)


def _spreads_of_explanations(lists: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[float]:
    """Compare n-gram by n-gram; one that somebody does not name adds nothing there."""
    if len({len(values) for values in lists}) != 1:
        raise DataError(f'expected as many explanations of each, got {[len(v) for v in lists]}')
    for of_text in zip(*lists):
        ngrams = sorted({ngram for one in of_text for ngram in one['contributions']})
        adds = [[one['contributions'].get(ngram, 0.0) for ngram in ngrams] for one in of_text]
        yield spread([[one['bias'], *of] for one, of in zip(of_text, adds)])


def _violations(preset: str, row: Mapping[str, Any]) -> Iterator[str]:
    one, other = (found['binary_accuracy'] for found in row['metrics'].values())
    if not abs(one - other) <= MAX_ACCURACY_DIFFERENCE:
        yield (
            f'{preset}: accuracies {one:.4f} and {other:.4f}, expected to be within '
            f'{MAX_ACCURACY_DIFFERENCE}'
        )
    for owner, found in row['models'].items():
        for what, difference in found.items():
            if not difference <= MAX_SCORE_DIFFERENCE:
                yield (
                    f'{preset}, the model of {owner}: {what} differs by {difference:.2g}, '
                    f'expected at most {MAX_SCORE_DIFFERENCE}'
                )
