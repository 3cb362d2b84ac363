"""What the summary of a run says about its data."""

from __future__ import annotations

import io

import pytest

from pipeline.console import print_summary
from pipeline.outcome import NodeResult, RunOutcome, State

NOTHING = 'Nothing is new: data{}, settings and code are those of an earlier run.'
NO_DATA = 'No new data: an earlier run has read spans 1 to 2.'


@pytest.mark.parametrize(
    ('examples', 'spans', 'nothing_new', 'said'),
    [
        ('cached', 'spans 1 to 2', True, NOTHING.format(' (spans 1 to 2)')),
        ('cached', None, True, NOTHING.format('')),
        ('cached', 'spans 1 to 2', False, NO_DATA),
        ('cached', None, False, None),
        ('executed', 'spans 1 to 2', False, None),
    ],
)
def test_summary_says_what_is_new_when_a_run_has_ended(
    examples: State, spans: str | None, nothing_new: bool, said: str | None
) -> None:
    stream = io.StringIO()
    outcome = RunOutcome(
        run_id='1',
        outcome='pushed',
        name='sentiment',
        data='reviews/{SPAN}.csv',
        spans=spans,
        nothing_new=nothing_new,
        # A rehearsal's run begins with another node.
        nodes=(
            NodeResult(id='Resolver', state='executed'),
            NodeResult(id='ExampleGen', state=examples),
        ),
    )
    print_summary(outcome, stream)
    lines = [line for line in stream.getvalue().splitlines() if ' new' in line]
    assert lines == ([] if said is None else [said])
