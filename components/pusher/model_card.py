"""The model card: what a pushed version is, how good it is, and how to call it."""

from __future__ import annotations

import json
import math
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple

from components.common import features
from components.common.settings import ARCHITECTURES, TrainerSettings
from components.example_gen.summary import ExamplesSummary
from components.pusher.judgement import OVERALL, Judgement

_ACCURACY = 'binary_accuracy'
_COUNT = 'example_count'
_NAMES = {
    _ACCURACY: 'accuracy',
    'auc': 'AUC',
    'calibration': 'calibration (mean prediction / share of positives)',
    'expected_calibration_error': 'expected calibration error',
}
# The width of a 95% interval is some 0.1 and more below.
_FEW_EXAMPLES = 100
_Z = 1.959964  # of a 95% interval
_PACKAGES = ('tfx', 'tensorflow', 'keras', 'tensorflow-transform', 'tensorflow-model-analysis')
_USES = {
    features.TRAIN_SPLIT: 'learned from',
    features.VAL_SPLIT: 'watched while training',
    features.TEST_SPLIT: 'judged by, and nothing else',
    features.UNLABELLED_SPLIT: 'how words are used',
}


class CardFacts(NamedTuple):
    """What a card tells.

    Attributes:
        name: Of the model, as it is served.
        data: Counts of the examples.
        spans: Which spans were read, in words; empty if the data has none.
        judgement: Metrics and bounds.
        settings: That it was trained with, by part: `trainer` and `text`.
        pushed: When, in UTC, as text.
        fingerprint: Of the code that trained it.
        digest: SHA-256 of the model's files.
    """

    name: str
    data: ExamplesSummary
    spans: str
    judgement: Judgement
    settings: Mapping[str, Mapping[str, Any]]
    pushed: str
    fingerprint: str
    digest: str


def write_card(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    negative, positive = facts.data.labels
    parts = [
        f'# Model card: {facts.name}',
        f'Tells whether a text is {_code(positive)} or {_code(negative)}: it returns the '
        f'probability of {_code(positive)}. Pushed on {facts.pushed} by the pipeline that trained '
        'it, measured it and found it good enough; this page is a part of what was pushed.',
        '## Data',
        *_data(facts),
        '## How good it is',
        *_metrics(facts.judgement),
        *_slices(facts.judgement),
        '## Limits',
        *_limits(facts),
        '## How to call it',
        *_calls(facts),
        '## How it was made',
        *_making(facts),
    ]
    return '\n\n'.join(parts) + '\n'


def _data(facts: CardFacts) -> Iterable[str]:
    data = facts.data
    sources = ', '.join(map(_code, data.sources)) or 'a source that was not recorded'
    yield f'Read from {sources}{f"; {facts.spans}" if facts.spans else ""}.'
    uses = dict(_USES)
    if facts.settings['trainer']['fit_to_val'] and _is_read('fit_to_val', facts):
        uses[features.VAL_SPLIT] += '; then the weights of the n-grams learned from it, too'
    rows = [
        [
            _code(split),
            f'{sum(counts):,}',
            *(f'{count:,} ({count / max(1, sum(counts)):.1%})' for count in counts),
            uses.get(split, ''),
        ]
        for split, counts in data.splits.items()
    ]
    if data.unlabelled:
        split = features.UNLABELLED_SPLIT
        rows.append([_code(split), f'{data.unlabelled:,}', '', '', uses[split]])
    yield _table(['split', 'examples', *map(_code, data.labels), 'what it was for'], rows)
    if data.rejects:
        reasons = ', '.join(f'{count:,} {reason}' for reason, count in data.rejected.items())
        yield f'{data.rejects:,} rows could not be used: {reasons}.'


def _metrics(judgement: Judgement) -> Iterable[str]:
    overall = judgement.slices.get(OVERALL, {})
    count = int(overall.get(_COUNT, 0))
    yield f'On the {count:,} texts of `test`, which nothing was learned from:'
    baseline = judgement.baseline
    rows = [
        [
            _NAMES.get(name, name),
            f'{value:.4f}',
            _bound(judgement, OVERALL, name),
            f'{baseline[name]:.4f}' if baseline and name in baseline else 'none',
        ]
        for name, value in sorted(overall.items(), key=lambda item: (item[0] != _ACCURACY, item[0]))
        if name != _COUNT
    ]
    yield _table(['metric', 'value', 'bound', 'baseline'], rows)
    if _ACCURACY in overall:
        low, high = interval(overall[_ACCURACY], count)
        yield f'The 95% interval of the accuracy is {low:.4f} to {high:.4f}.'
    if baseline is None:
        yield 'There was no baseline: no model had been blessed before.'
    for name in sorted(baseline or {}):
        bounds = judgement.bounds.get((OVERALL, name))
        if baseline and bounds and bounds.lowest_of_baseline is not None:
            yield (
                f'The {_NAMES.get(name, name)} of the baseline, {baseline[name]:.4f}, is at least '
                f'{bounds.lowest_of_baseline:.4f}: had the labels been turned around, it would not '
                'be.'
            )


def _slices(judgement: Judgement) -> Iterable[str]:
    found = [name for name in features.LENGTH_BUCKETS if name in judgement.slices]
    if not found:
        return
    yield 'By the number of words of a text:'
    rows = []
    for name in found:
        metrics = judgement.slices[name]
        count, accuracy = int(metrics.get(_COUNT, 0)), metrics.get(_ACCURACY)
        known = accuracy is not None and count > 0
        low, high = interval(accuracy or 0.0, count) if known else (0.0, 1.0)
        rows.append(
            [
                name,
                f'{count:,}',
                f'{accuracy:.4f}' if known else '',
                f'{low:.4f} to {high:.4f}' if known else '',
                *(f'{metrics[key]:.4f}' if key in metrics else '' for key in ('loss', 'auc')),
                _bound(judgement, name, _ACCURACY),
            ]
        )
    heads = ['words', 'examples', 'accuracy', '95% interval', 'loss', 'AUC', 'bound']
    yield _table(heads, rows)


def _limits(facts: CardFacts) -> Iterable[str]:
    slices = facts.judgement.slices
    limits = [
        'It was measured on texts of the source that it learned from. How good it is on texts of '
        'another kind, another source or a later time was not measured.',
        'Its language is that of the training texts; others were not tested, and nothing tells it '
        'that a text is in another one.',
        'Not tested: whether it treats texts by or about different groups of people alike, texts '
        'that were written to mislead it, and texts that are about several things.',
        'It always chooses one of the two labels; a text that is neither gets one as well. The '
        'probability is that of the label, not how strongly a text expresses it.',
        f'Of a text it reads the first {facts.settings["text"]["max_tokens"]:,} words at most.',
    ]
    few = [
        f'{name} ({int(slices.get(name, {}).get(_COUNT, 0)):,})'
        for name in features.LENGTH_BUCKETS
        if slices.get(name, {}).get(_COUNT, 0) < _FEW_EXAMPLES
    ]
    if few:
        limits.append(
            f'Lengths with fewer than {_FEW_EXAMPLES} test texts, so that little is known of '
            f'them: {", ".join(few)} words.'
        )
    yield '\n'.join(f'- {limit}' for limit in limits)


def _calls(facts: CardFacts) -> Iterable[str]:
    yield 'TensorFlow Serving, at its REST address:'
    yield _fence('sh', _curl(facts.name, score_request(['A first text.', 'A second one.'])))
    yield (
        'returns `{"predictions": [P, P]}`: for each text, the probability of '
        f'{_code(facts.data.labels[1])}, from 0 to 1; above 0.5 it is the likelier label.'
    )
    yield 'What moved a score:'
    yield _fence('sh', _curl(facts.name, explain_request(['A first text.'])))
    yield (
        f'returns `{{"outputs": {{…}}}}` with `{features.NGRAMS_KEY}`, '
        f'`{features.CONTRIBUTIONS_KEY}` (what each adds to the logit), `{features.ROWS_KEY}` '
        f'(which text it is in) and `{features.BIAS_KEY}` (the logit of a text without a word).'
    )
    yield (
        f'The signature `{features.EXAMPLES_SIGNATURE}` takes serialized `tf.Example`s with a '
        f'bytes feature `{features.TEXT_KEY}`: `{{"instances": [{{"b64": "…"}}]}}`.'
    )


def score_request(texts: Sequence[str]) -> dict[str, Any]:
    """Return the body of a TensorFlow Serving request that scores texts."""
    return {'signature_name': features.TEXT_SIGNATURE, 'instances': list(texts)}


def explain_request(texts: Sequence[str]) -> dict[str, Any]:
    """Return the body of a request that explains scores.

    Its answer has another number of rows than texts, which TensorFlow Serving
    allows in the columnar format alone.
    """
    return {
        'signature_name': features.EXPLAIN_SIGNATURE,
        'inputs': {features.TEXT_INPUT: list(texts)},
    }


def _making(facts: CardFacts) -> Iterable[str]:
    rows = [
        [_code(f'{part}.{name}'), _code(json.dumps(value))]
        for part, fields in facts.settings.items()
        for name, value in fields.items()
        if part != 'trainer' or _is_read(name, facts)
    ]
    yield _table(['setting', 'value'], rows)
    versions = ', '.join(f'{package} {metadata.version(package)}' for package in _PACKAGES)
    yield '\n'.join(
        [
            f'- Versions: Python {platform.python_version()}, {versions}.',
            f'- Fingerprint of the code that trained it: {_code(facts.fingerprint)}.',
            f'- SHA-256 of the model, over its files: {_code(facts.digest)}.',
        ]
    )


def _is_read(name: str, facts: CardFacts) -> bool:
    """Tell whether the architecture reads a setting: its description says which ones do."""
    field = TrainerSettings.model_fields.get(name)
    named = re.search(r'\(([a-z, ]+)\)$', (field and field.description) or '')
    readers = set(named[1].split(', ')) if named else set()
    return not readers & set(ARCHITECTURES) or facts.settings['trainer']['architecture'] in readers


def interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95% interval of a share (Wilson, 1927).

    >>> [round(bound, 3) for bound in interval(0.9, 100)]
    [0.826, 0.945]
    """
    if not count:
        return 0.0, 1.0
    square = _Z**2 / count
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * math.sqrt(share * (1 - share) / count + square / 4 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _bound(judgement: Judgement, where: str, metric: str) -> str:
    bounds = judgement.bounds.get((where, metric))
    if bounds is None:
        return ''
    told = f'>= {bounds.lowest:.4f}'
    if bounds.largest_drop is not None and judgement.baseline and metric in judgement.baseline:
        told += f', and >= {judgement.baseline[metric] - bounds.largest_drop:.4f} (baseline)'
    return told


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ['---'] * len(heads), *rows]
    return '\n'.join(
        f'| {" | ".join(cell.replace("|", chr(92) + "|") for cell in line)} |' for line in lines
    )


def _code(text: str) -> str:
    """Return text as it is, whatever is in it; a line break or a backtick would end it."""
    plain = ' '.join(text.split())
    fence = '``' if '`' in plain else '`'
    space = ' ' if fence == '``' or not plain else ''
    return f'{fence}{space}{plain}{space}{fence}'


def _fence(language: str, text: str) -> str:
    return f'```{language}\n{text}\n```'


def _curl(name: str, body: Mapping[str, Any]) -> str:
    return f"curl http://HOST:8501/v1/models/{name}:predict \\\n  -d '{json.dumps(body)}'"
