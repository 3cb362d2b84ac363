"""Renders a report as one page that needs nothing beside itself."""

from __future__ import annotations

import datetime
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.report import sections, sentences
from pipeline.report.compare import compare
from pipeline.report.sentences import NONE
from pipeline.report.vega import printable
from pipeline.report.view import Nothing, Report

# Characters: texts up to so many are shown as a whole, of others so many at first.
_SHORT = 700
_OPENING = 420
_LINE_BREAKS = re.compile(r'(?:<br\s*/?>\s*)+', re.IGNORECASE)


def render(report: Report) -> str:
    """Render the page of a run.

    Args:
        report: What was collected.

    Returns:
        HTML.
    """
    return _environment().get_template('report.html').render(
        report=report,
        outcome=report.outcome,
        labels=report.labels,
        learning=sections.learning(report),
        scores=sections.scores(report),
        slices=sections.slices(report.outcome),
        data=sections.data(report),
        graph=sections.graph(report),
        again=sections.again(report.outcome),
        **sections.verdict(report.outcome),
    )


def render_comparison(reports: Sequence[Report]) -> str:
    """Render the page of two runs or more, side by side.

    Args:
        reports: At most as many as there are `curves.STYLES`.

    Returns:
        HTML.
    """
    template = _environment().get_template('compare.html')
    return template.render(comparison=compare(reports), headline_of=sentences.headline)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / 'templates'),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            printable(value)
            if isinstance(value, str) and not isinstance(value, Markup)
            else value
        ),
    )
    filters: dict[str, Callable[..., Any]] = {
        'sign': sentences.sign,
        'count': lambda number: f'{number:,}',
        'four': lambda number: NONE if number is None else f'{number:.4f}',
        'percent': lambda share: NONE if share is None else f'{share:.1%}',
        'change': lambda number: _signed(number, 4),
        'moved': lambda number: _signed(number, 2),
        'seconds': lambda number: f'{number:.1f} s',
        'when': _when,
        'prose': _prose,
    }
    environment.filters |= filters
    environment.tests['nothing'] = lambda value: isinstance(value, Nothing)
    return environment


def _prose(text: str) -> tuple[str, str]:
    """Return a review's opening and the rest, which is empty if it is short."""
    # Tags that say where a line ends: the model does not see them.
    text = _LINE_BREAKS.sub('\n', text)
    if len(text) <= _SHORT:
        return text, ''
    end = text.rfind(' ', _OPENING // 2, _OPENING)
    end = end if end > 0 else _OPENING
    return text[:end], text[end:].lstrip()


def _signed(number: float, digits: int) -> str:
    return f'{number:+.{digits}f}'.replace('-', '\N{MINUS SIGN}')


def _when(run_id: str) -> str:
    """Return a run's name as a time, as far as it is one."""
    try:
        began = datetime.datetime.strptime(run_id[:19], '%Y-%m-%dT%H-%M-%S')
    except ValueError:
        return run_id
    return f'{began.day} {began:%B %Y, %H:%M}'
