"""Renders a report as one HTML page without other files."""

from __future__ import annotations

import datetime
import functools
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from components.evaluator.metric_rows import format_change_interval, format_interval
from components.evaluator.metric_table import find_metric, format_metric
from pipeline.report import sections, slice_section
from pipeline.report.compare import compare
from pipeline.report.label_section import label_errors
from pipeline.report.sections import MINUS, NONE
from pipeline.report.tuned_threshold import tuned_threshold
from pipeline.report.vega import printable
from pipeline.report.view import Missing, Report

# A text with more characters than this is folded after its first part.
_FULL_CHARACTERS = 700
_FIRST_CHARACTERS = 420
_LINE_BREAKS = re.compile(r'(?:<br\s*/?>\s*)+', re.IGNORECASE)


def render(report: Report) -> str:
    """Render the page of a run as HTML.

    Example:
        html = render(collect(outcome, root))
    """
    return (
        _environment()
        .get_template('report.html')
        .render(
            report=report,
            outcome=report.outcome,
            labels=report.labels,
            learning=sections.learning(report),
            tuned=tuned_threshold(report),
            scores=sections.scores(report),
            label_errors=label_errors(report),
            slices=slice_section.slices(report.outcome),
            data=sections.data(report),
            **sections.verdict(report.outcome),
        )
    )


def render_comparison(reports: Sequence[Report]) -> str:
    """Render the comparison of two runs or more as HTML, at most as many as `STYLES`."""
    template = _environment().get_template('compare.html')
    return template.render(compare(reports), headline_of=sections.headline)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / 'templates'),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        ),
    )
    filters: dict[str, Callable[..., Any]] = {
        'sign': sections.sign,
        'count': lambda number: f'{number:,}',
        'four': lambda number: NONE if number is None else f'{number:.4f}',
        'measured': lambda check: format_metric(check.metric, check.value, NONE),
        'percent': lambda share: NONE if share is None else f'{share:.1%}',
        'interval': lambda row: format_interval(row.metric.name, row.interval),
        'ends': lambda ends, name: format_interval(name, ends),
        'label': lambda name: find_metric(name).label,
        'metric': lambda value, name: format_metric(name, value, NONE),
        'change': lambda number: '' if number is None else _signed(number, 4),
        'change_interval': lambda change: format_change_interval(change).replace('-', MINUS),
        'judged': lambda check: format_metric(check.metric, check.judged, NONE),
        'contribution': lambda number: _signed(number, 2),
        'seconds': lambda number: f'{number:.1f} s',
        'when': _when,
        'parts': _parts,
        'yaml': lambda tree: yaml.safe_dump(tree, sort_keys=False, allow_unicode=True),
    }
    environment.filters |= filters
    environment.tests['missing'] = lambda value: isinstance(value, Missing)
    return environment


def _parts(text: str) -> tuple[str, str]:
    """Return the first part of a text and the rest, which is empty if the text is short."""
    # The model does not see these tags.
    text = _LINE_BREAKS.sub('\n', text)
    if len(text) <= _FULL_CHARACTERS:
        return text, ''
    end = text.rfind(' ', _FIRST_CHARACTERS // 2, _FIRST_CHARACTERS)
    end = end if end > 0 else _FIRST_CHARACTERS
    return text[:end], text[end:].lstrip()


def _signed(number: float, digits: int) -> str:
    return f'{number:+.{digits}f}'.replace('-', MINUS)


def _when(run_id: str) -> str:
    """Return a run id as a time, if it is one."""
    try:
        began = datetime.datetime.strptime(run_id[:19], '%Y-%m-%dT%H-%M-%S')
    except ValueError:
        return run_id
    return f'{began.day} {began:%B %Y, %H:%M}'
