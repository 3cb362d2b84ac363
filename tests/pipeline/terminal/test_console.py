"""Tests of the output of a run, on a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import re
from typing import Any

import pytest
from rich.console import Console

from components.common.progress import PROGRESS_LOGGER, report_progress
from components.evaluator.metric_table import Check
from pipeline.results.outcome import (
    NO_BASELINE,
    NodeResult,
    Pushed,
    RunOutcome,
    State,
    Withdrawn,
)
from pipeline.terminal.console import ProgressLines, print_summary
from pipeline.terminal.live import LiveNode

NOTHING = 'Nothing is new: data{}, settings and code are those of an earlier run.'
NO_DATA = 'No new data: an earlier run read spans 1 to 2.'


class Terminal(io.TextIOWrapper):
    """A terminal that keeps its output."""

    def __init__(self, encoding: str = 'utf-8') -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors='strict', write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)

    def lines(self) -> list[str]:
        """Return the output without colours and cursor movements."""
        return re.sub(r'\x1b\[[?0-9;]*[A-Za-z]|\r', '', self.text()).splitlines()


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, PROGRESS_LOGGER)  # as a run has it
    for name in ('NO_COLOR', 'FORCE_COLOR', 'TTY_COMPATIBLE', 'TTY_INTERACTIVE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('TERM', 'xterm-256color')
    monkeypatch.setenv('COLUMNS', '90')


def show_run(progress: ProgressLines) -> None:
    """Show three nodes, of which the last one fails."""
    with progress:
        progress.starting('sentiment, preset [bold], on data')
        progress.node_started(1, 3, 'ExampleGen')
        note = 'train 8; ' + "'negative' or 'positive'; " * 3
        progress.node_finished(
            1, 3, NodeResult(id='ExampleGen', state='cached', seconds=0.1, note=note.strip())
        )
        progress.node_started(2, 3, 'Trainer')
        report_progress('epoch 1/2: val loss [0.5]')
        report_progress('epoch 2/2: val loss 0.4')
        progress.node_finished(2, 3, NodeResult(id='Trainer', state='executed', seconds=2.04))
        progress.node_started(3, 3, 'Evaluator')
        progress.node_finished(3, 3, NodeResult(id='Evaluator', state='failed', seconds=1.0))


PLAIN = """\
sentiment, preset [bold], on data
 1/3  ExampleGen          cached   train 8; 'negative' or 'positive'; 'negative' or 'positive'; \
'negative' or 'positive';
       epoch 1/2: val loss [0.5]
       epoch 2/2: val loss 0.4
 2/3  Trainer              2.0 s
 3/3  Evaluator         ✗ failed

┏━━━━━━━━━━━━━━━━━━━━━┓
┃ ✗ Failed: Evaluator ┃
┗━━━━━━━━━━━━━━━━━━━━━┛
"""


@pytest.mark.parametrize(('quiet', 'shown'), [(False, PLAIN), (True, '')])
def test_nodes_are_plain_lines_when_the_cursor_cannot_be_moved(
    quiet: bool, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    show_run(ProgressLines(stream, quiet=quiet))
    assert stream.getvalue() == shown
    terminal = Terminal()
    if not quiet:
        monkeypatch.setenv('TERM', 'dumb')
    show_run(ProgressLines(terminal, quiet=quiet))
    assert terminal.text() == shown


@pytest.mark.parametrize('no_color', [False, True])
@pytest.mark.parametrize(('encoding', 'marks'), [('utf-8', '=✓✗'), ('ascii', '=+x')])
def test_states_differ_without_colour_when_there_is_a_terminal(
    encoding: str, marks: str, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv('NO_COLOR', '1')
    stream = Terminal(encoding)
    show_run(ProgressLines(stream))
    cached, executed, failed = marks
    lines = [line.rstrip() for line in stream.lines()]
    assert f"{cached}  1/3  ExampleGen          cached   train 8; 'negative' or" in '\n'.join(lines)
    assert f'{executed}  2/3  Trainer              2.0 s' in lines
    assert f'{failed}  3/3  Evaluator           failed' in lines
    assert '       epoch 2/2: val loss 0.4' in lines
    assert any(line.endswith('1 of 3 done') for line in lines)
    assert any(re.fullmatch(rf'[┃|] {failed} Failed: Evaluator [┃|]', line) for line in lines)
    colours = re.findall(r'\x1b\[[0-9;]*3[0-7][0-9;]*m', stream.text())
    assert bool(colours) != no_color


def test_note_is_folded_at_words_when_the_terminal_is_narrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('COLUMNS', '60')
    stream = Terminal()
    show_run(ProgressLines(stream))
    lines = [line.rstrip() for line in stream.lines()]
    assert max(map(len, lines)) <= 60
    assert "       train 8; 'negative' or 'positive'; 'negative' or" in lines
    assert "       'positive'; 'negative' or 'positive';" in lines


@pytest.mark.parametrize('width', [30, 60, 100])
def test_live_node_shows_its_last_messages_when_it_is_drawn(width: int) -> None:
    console = Console(file=Terminal(), width=width, color_system=None, force_terminal=True)
    node = LiveNode(console, ' 6/9  Trainer           ', done=5, total=9)
    for epoch in range(1, 10):
        node.add_line(f'epoch {epoch}/10: val accuracy 0.9123, val loss [0.2975]')
    lines = [
        ''.join(segment.text for segment in line).rstrip()
        for line in console.render_lines(node, console.options, pad=False)
    ]
    assert len(lines) == 7
    assert max(map(len, lines)) <= width
    assert lines[0][1:].startswith('  6/9  Trainer')
    assert [line[7:17] for line in lines[1:-1]] == [f'epoch {n}/10' for n in range(5, 10)]
    assert lines[-1].endswith('  5 of 9 done')
    if width == 100:
        assert lines[0].endswith(' 0 s')
        assert lines[1].endswith('val loss [0.2975]')


def test_output_of_frameworks_stays_in_the_log_when_a_node_is_shown() -> None:
    log, stream = io.StringIO(), Terminal()
    with (
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
        ProgressLines(stream) as progress,
    ):
        progress.node_started(1, 2, 'Trainer')
        print('noise')
        progress.node_finished(1, 2, NodeResult(id='Trainer', state='executed'))
    assert log.getvalue() == 'noise\n'
    assert 'noise' not in stream.text()


def summary_of(*, blessed: bool = True, **changes: Any) -> list[str]:
    """Return the lines of the summary of a run with one bound, with fields changed."""
    check = Check(metric='binary_accuracy', slice='', value=0.7, bound='>= 0.8000', passed=blessed)
    outcome = RunOutcome(
        run_id='1',
        outcome='pushed' if blessed else 'not_blessed',
        name='sentiment',
        data='data',
        thresholds=(check,),
        metrics={'binary_accuracy': 0.7},
    )
    stream = io.StringIO()
    print_summary(dataclasses.replace(outcome, **changes), stream)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ('examples', 'spans', 'nothing_new', 'expected'),
    [
        ('cached', 'spans 1 to 2', True, NOTHING.format(' (spans 1 to 2)')),
        ('cached', None, True, NOTHING.format('')),
        ('cached', 'spans 1 to 2', False, NO_DATA),
        ('cached', None, False, None),
        ('executed', 'spans 1 to 2', False, None),
    ],
)
def test_summary_says_so_when_no_data_is_new(
    examples: State, spans: str | None, nothing_new: bool, expected: str | None
) -> None:
    nodes = (NodeResult(id='ExampleGen', state=examples),)
    lines = summary_of(spans=spans, nothing_new=nothing_new, nodes=nodes)
    assert [line for line in lines if ' new' in line] == ([expected] if expected else [])


def test_verdict_names_the_version_when_the_model_is_pushed() -> None:
    lines = summary_of(pushed=Pushed(path='/serving/17', version='17'), baseline_version='16')
    assert 'Blessed, pushed as version 17' in lines
    assert 'baseline  version 16' in lines
    assert NO_BASELINE in lines


def test_verdict_is_in_a_box_when_the_candidate_is_not_blessed() -> None:
    lines = summary_of(blessed=False)
    assert lines[2] == '┃ ✗ Not blessed: nothing was pushed ┃'
    assert {len(line) for line in lines[1:4]} == {len(lines[2])}
    assert '✗ accuracy: expected >= 0.8000, got 0.7000' in lines


def test_verdict_is_in_ascii_when_the_stream_has_no_other_characters() -> None:
    stream = Terminal('ascii')
    print_summary(RunOutcome(run_id='1', outcome='not_blessed', name='a', data='b'), stream)
    assert '| x Not blessed: nothing was pushed |' in stream.lines()


def test_hint_is_shown_when_the_baseline_ranks_worse_than_chance() -> None:
    check = Check(
        metric='baseline_auc',
        slice='',
        value=0.04,
        bound='>= 0.5000',
        passed=False,
        hint='look at the labels',
    )
    lines = summary_of(blessed=False, thresholds=(check,))
    assert any(re.fullmatch(r'AUC of the baseline +0\.0400 +>= 0\.5000', line) for line in lines)
    place = lines.index('✗ AUC of the baseline: expected >= 0.5000, got 0.0400')
    assert lines[place + 1] == '  look at the labels'


def test_rollback_command_is_shown_when_the_model_is_withdrawn() -> None:
    lines = summary_of(
        outcome='withdrawn',
        withdrawn=Withdrawn(version='7', at='2026-11-25 09:00:00 UTC'),
        config={'root': 'my runs', 'name': 'sentiment', 'serving_dir': None},
    )
    assert lines[1] == 'Blessed, not pushed: this model is withdrawn'
    assert (
        'A rollback on 2026-11-25 09:00:00 UTC withdrew this model, which was version 7. The live '
        'version stays live.'
    ) in lines
    assert (
        "To restore the model: python pipeline_runner.py models rollback 7 --root 'my runs'"
    ) in lines


@pytest.mark.parametrize('rejects', [None, '/report/rejects*.jsonl'])
def test_path_of_the_rejected_rows_is_shown_when_there_are_any(rejects: str | None) -> None:
    lines = [line for line in summary_of(rejects=rejects) if line.startswith('rejects')]
    assert lines == ([f'rejects  {rejects}'] if rejects else [])
