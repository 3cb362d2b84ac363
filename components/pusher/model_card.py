"""Writes the model card: what a pushed version is, how good it is, and how to call it."""

from __future__ import annotations

import json
import pathlib
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any, NamedTuple

import jinja2

from components.common import features
from components.common.decision_threshold import (
    DEFAULT_THRESHOLD,
    DecisionThreshold,
    format_threshold,
)
from components.evaluator.evaluation import Evaluation
from components.evaluator.metric_rows import (
    format_change,
    format_change_interval,
    format_interval,
    interval_name,
    metric_rows,
)
from components.evaluator.metric_table import (
    ACCURACY,
    EXAMPLE_COUNT,
    TEST_OVERLAP,
    Check,
    MetricChange,
    find_metric,
    format_metric,
    is_by_length,
)
from components.example_gen.summary import ExamplesSummary

# With fewer examples, a 95% interval is about 0.1 wide or wider.
_FEW_EXAMPLES = 100
_PACKAGES = ('tfx', 'tensorflow', 'keras', 'tensorflow-transform', 'tensorflow-model-analysis')


class CardFacts(NamedTuple):
    """The content of a card.

    Attributes:
        name: Name of the served model.
        data: Counts of the examples.
        spans: The spans that were read, as text; empty if the data has none.
        evaluation: Metrics and bounds.
        settings: Settings of the training, by part: `trainer` and `text`.
        signatures: Names of the signatures of the model.
        pushed: Time of the push in UTC, as text.
        fingerprint: Fingerprint of the training code.
        digest: SHA-256 of the model's files.
        decision: From which probability on the model predicts the positive label.
    """

    name: str
    data: ExamplesSummary
    spans: str
    evaluation: Evaluation
    settings: Mapping[str, Mapping[str, Any]]
    signatures: frozenset[str]
    pushed: str
    fingerprint: str
    digest: str
    decision: DecisionThreshold = DecisionThreshold(threshold=DEFAULT_THRESHOLD)


def write_card(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    evaluation = facts.evaluation
    slices = {
        name: evaluation.slices[f'{features.LENGTH_KEY}={name}']
        for name in features.LENGTH_BUCKETS
        if f'{features.LENGTH_KEY}={name}' in evaluation.slices
    }
    texts = {name: slices.get(name, {}).get(EXAMPLE_COUNT) or 0 for name in features.LENGTH_BUCKETS}
    checks = evaluation.thresholds
    fits_to_val = facts.settings['trainer']['model'].get('fit_to_val')

    def bounds(metric: str, where: str = '') -> str:
        return ', and '.join(
            _describe_bound(c) for c in checks if (c.metric, c.slice) == (metric, where)
        )

    environment = jinja2.Environment(  # Markdown, not HTML
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {'code': _code, 'cell': _cell, 'count': lambda number: f'{number:,}'}
    environment.filters['metric_label'] = lambda name: find_metric(name).label
    return environment.get_template('model_card.md.jinja').render(
        **facts._asdict(),
        features=features,
        test_overlap=TEST_OVERLAP,
        of_user=facts.settings['trainer']['model']['architecture'] == features.MODULE_ARCHITECTURE,
        rows=[row for row in metric_rows(evaluation, checks) if row.value is not None],
        slice_checks=[
            check
            for check in checks
            if check.slice and (check.metric != ACCURACY or not is_by_length(check.slice))
        ],
        value=lambda name, found, missing='-': format_metric(name, found.get(name), missing),
        bounds=bounds,
        interval=format_interval,
        interval_name=interval_name(evaluation.confidence),
        bound=_describe_bound,
        change=_describe_change,
        uses={
            features.TRAIN_SPLIT: 'training',
            features.VAL_SPLIT: 'validation during training'
            + ('; then training of the n-gram weights' if fits_to_val else ''),
            features.TEST_SPLIT: 'evaluation only',
        },
        slices=slices,
        few=[f'{name} ({n:,.0f})' for name, n in texts.items() if slices and n < _FEW_EXAMPLES],
        few_examples=_FEW_EXAMPLES,
        threshold=format_threshold(facts.decision.threshold),
        tuned_for=(facts.decision.aim or '').replace('_', ' '),
        flat_settings=list(_flatten(facts.settings)),
        versions=[
            f'Python {platform.python_version()}',
            *(f'{package} {metadata.version(package)}' for package in _PACKAGES),
        ],
    )


def _describe_bound(check: Check) -> str:
    return f'{check.bound} (not judged: {check.skipped})' if check.skipped else check.bound


def _describe_change(change: MetricChange | None) -> str:
    """Return a change as text, for example `+0.05 (+0.04 to +0.06), better`."""
    if change is None or change.change is None:
        return ''
    interval = format_change_interval(change)
    text = format_change(change.change) + (f' ({interval})' if interval else '')
    return f'{text}, {change.verdict}' if change.verdict else text


def _flatten(settings: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, str]]:
    """Yield the dotted name of each setting, and its value as JSON."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', json.dumps(value)


def _code(text: str) -> str:
    """Return text as inline code, also if it contains backticks or line breaks."""
    plain = ' '.join(text.split())
    fence = '``' if '`' in plain else '`'
    space = ' ' if fence == '``' or not plain else ''
    return f'{fence}{space}{plain}{space}{fence}'


def _cell(text: str) -> str:
    return _code(text).replace('|', r'\|')
