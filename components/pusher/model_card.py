"""Writes the model card: what a pushed version is, how good it is, and how to call it."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple

from components.common import features
from components.evaluator.evaluation import Evaluation
from components.evaluator.metric_table import (
    ACCURACY,
    BASELINE_PREFIX,
    COMPARED_METRICS,
    EXAMPLE_COUNT,
    Interval,
    accuracy_interval,
    find_metric,
    format_metric,
)
from components.example_gen.summary import ExamplesSummary

# With fewer examples, a 95% interval is about 0.1 wide or wider.
_FEW_EXAMPLES = 100
_PACKAGES = ('tfx', 'tensorflow', 'keras', 'tensorflow-transform', 'tensorflow-model-analysis')
_USES = {
    features.TRAIN_SPLIT: 'training',
    features.VAL_SPLIT: 'validation during training',
    features.TEST_SPLIT: 'evaluation only',
    features.UNLABELLED_SPLIT: 'statistics of words',
}
_SLICE_METRICS = (ACCURACY, 'loss', 'auc')


class CardFacts(NamedTuple):
    """The content of a card.

    Attributes:
        name: Name of the served model.
        data: Counts of the examples.
        spans: The spans that were read, as text; empty if the data has none.
        evaluation: Metrics and bounds.
        settings: Settings of the training, by part: `trainer` and `text`.
        pushed: Time of the push in UTC, as text.
        fingerprint: Fingerprint of the training code.
        digest: SHA-256 of the model's files.
    """

    name: str
    data: ExamplesSummary
    spans: str
    evaluation: Evaluation
    settings: Mapping[str, Mapping[str, Any]]
    pushed: str
    fingerprint: str
    digest: str


def write_card(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    negative, positive = facts.data.labels
    parts = [
        f'# Model card: {facts.name}',
        f'This model classifies a text as {_code(positive)} or {_code(negative)}: it returns the '
        f'probability of {_code(positive)}. The pipeline trained it, evaluated it, found that it '
        f'meets all bounds, and pushed it with this card on {facts.pushed}.',
        '## Data',
        *_data(facts),
        '## Evaluation',
        *_metrics(facts.evaluation),
        *_slices(facts.evaluation),
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
    yield f'The data was read from {sources}{f" ({facts.spans})" if facts.spans else ""}.'
    uses = dict(_USES)
    if facts.settings['trainer']['model'].get('fit_to_val'):
        uses[features.VAL_SPLIT] += '; then training of the n-gram weights'
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
    yield _table(['split', 'examples', *map(_code, data.labels), 'use'], rows)
    if data.rejects:
        reasons = ', '.join(f'{count:,} {reason}' for reason, count in data.rejected.items())
        yield f'{data.rejects:,} rows were rejected: {reasons}.'


def _metrics(evaluation: Evaluation) -> Iterable[str]:
    metrics, baseline = evaluation.metrics, evaluation.baseline
    count = format_metric(EXAMPLE_COUNT, metrics.get(EXAMPLE_COUNT), '0')
    yield f'Measured on the {count} texts of `test`, which training did not use:'
    rows = [
        [
            metric.label,
            format_metric(metric.name, metrics[metric.name]),
            _bounds(evaluation, metric.name),
            format_metric(metric.name, (baseline or {}).get(metric.name), 'none'),
            f'{metric.meaning.removesuffix(".")}; {metric.direction}',
        ]
        for metric in COMPARED_METRICS
        if metrics.get(metric.name) is not None
    ]
    yield _table(['metric', 'value', 'bound', 'baseline', 'meaning'], rows)
    interval = accuracy_interval(metrics)
    if interval:
        yield f'The 95% interval of the accuracy is {_range(interval)}.'
    if baseline is None:
        yield 'There was no baseline: no other model was served.'
    for check in evaluation.checks():
        if check.metric.startswith(BASELINE_PREFIX):
            value = format_metric(check.metric, check.value)
            yield (
                f'The {find_metric(check.metric).label} on the same texts is {value}, and must be '
                f'{check.bound}. A lower value would mean that labels may be swapped.'
            )


def _slices(evaluation: Evaluation) -> Iterable[str]:
    rows = []
    for name in features.LENGTH_BUCKETS:
        key = f'{features.LENGTH_KEY}={name}'
        metrics = evaluation.slices.get(key)
        if metrics is None:
            continue
        interval = accuracy_interval(metrics)
        rows.append(
            [
                name,
                format_metric(EXAMPLE_COUNT, metrics.get(EXAMPLE_COUNT), '0'),
                *(format_metric(metric, metrics.get(metric), '') for metric in _SLICE_METRICS),
                _range(interval) if interval else '',
                _bounds(evaluation, ACCURACY, key),
            ]
        )
    if rows:
        yield 'By the number of words in a text:'
        labels = [find_metric(metric).label for metric in _SLICE_METRICS]
        heads = ['words', 'examples', *labels, '95% interval of the accuracy', 'bound']
        yield _table(heads, rows)


def _limits(facts: CardFacts) -> Iterable[str]:
    limits = [
        'The model was evaluated on texts from the source of its training data. Its quality on '
        'texts from other sources, of another kind or of a later time was not measured.',
        'The model was trained on texts in one language. Other languages were not tested, and the '
        'model does not detect them.',
        'Three things were not tested: fairness towards groups of people, texts that are written '
        'to mislead the model, and texts about several subjects.',
        'The model always chooses one of the two labels, also for a text that fits neither. The '
        'probability is that of the label, not the strength of the opinion in the text.',
        f'The model reads at most the first {facts.settings["text"]["max_tokens"]:,} words.',
    ]
    counts = {
        name: facts.evaluation.slices.get(f'{features.LENGTH_KEY}={name}', {}).get(EXAMPLE_COUNT)
        for name in features.LENGTH_BUCKETS
    }
    few = [f'{name} ({n or 0:,.0f})' for name, n in counts.items() if (n or 0) < _FEW_EXAMPLES]
    if few:
        limits.append(
            f'For these numbers of words, `test` has fewer than {_FEW_EXAMPLES} texts, so the '
            f'quality is not well known: {", ".join(few)}.'
        )
    yield '\n'.join(f'- {limit}' for limit in limits)


def _calls(facts: CardFacts) -> Iterable[str]:
    yield 'The REST API of TensorFlow Serving scores texts:'
    texts = ['A first text.', 'A second one.']
    yield _curl(facts.name, {'signature_name': features.TEXT_SIGNATURE, 'instances': texts})
    yield (
        'It returns `{"predictions": [P, P]}`: for each text, the probability of '
        f'{_code(facts.data.labels[1])}, from 0 to 1. Above 0.5, this label is predicted.'
    )
    yield 'It explains scores as well:'
    # The response does not have one row per text, so TensorFlow Serving requires columns.
    inputs = {features.TEXT_INPUT: ['A first text.']}
    yield _curl(facts.name, {'signature_name': features.EXPLAIN_SIGNATURE, 'inputs': inputs})
    yield (
        f'It returns `{{"outputs": {{…}}}}` with `{features.NGRAMS_KEY}`, '
        f'`{features.CONTRIBUTIONS_KEY}` (the contribution of each to the logit), '
        f'`{features.ROWS_KEY}` (the index of the text) and `{features.BIAS_KEY}` (the logit of an '
        'empty text).'
    )
    yield (
        f'The signature `{features.EXAMPLES_SIGNATURE}` takes serialized `tf.Example` messages '
        f'with a bytes feature `{features.TEXT_KEY}`: `{{"instances": [{{"b64": "…"}}]}}`.'
    )


def _making(facts: CardFacts) -> Iterable[str]:
    rows = [row for part, fields in facts.settings.items() for row in _setting_rows(part, fields)]
    yield _table(['setting', 'value'], rows)
    versions = ', '.join(f'{package} {metadata.version(package)}' for package in _PACKAGES)
    yield '\n'.join(
        [
            f'- Versions: Python {platform.python_version()}, {versions}.',
            f'- Fingerprint of the training code: {_code(facts.fingerprint)}.',
            # `model_versions.recorded_digest` reads this line.
            f'- SHA-256 of the model, over its files: {_code(facts.digest)}.',
        ]
    )


def _setting_rows(name: str, value: Any) -> Iterator[list[str]]:
    """Yield a row for each setting below a dotted name."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _setting_rows(f'{name}.{key}', part)
    else:
        yield [_code(name), _code(json.dumps(value))]


def _range(interval: Interval) -> str:
    return f'{interval.low:.4f} to {interval.high:.4f}'


def _bounds(evaluation: Evaluation, metric: str, where: str = '') -> str:
    bounds = [c.bound for c in evaluation.checks() if (c.metric, c.slice) == (metric, where)]
    return ', and '.join(bounds)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ['---'] * len(heads), *rows]
    return '\n'.join(
        f'| {" | ".join(cell.replace("|", chr(92) + "|") for cell in line)} |' for line in lines
    )


def _code(text: str) -> str:
    """Return text as inline code, also if it contains backticks or line breaks."""
    plain = ' '.join(text.split())
    fence = '``' if '`' in plain else '`'
    space = ' ' if fence == '``' or not plain else ''
    return f'{fence}{space}{plain}{space}{fence}'


def _curl(name: str, body: Mapping[str, Any]) -> str:
    url = f'http://HOST:8501/v1/models/{name}:predict'
    return f"```sh\ncurl {url} \\\n  -d '{json.dumps(body)}'\n```"
