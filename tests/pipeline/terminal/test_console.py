"""Tests of the output of a run, on a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import io
import logging
import re

import pytest
from rich.console import Console

from components.common.progress import PROGRESS_LOGGER, report_progress
from pipeline.results.outcome import NodeResult
from pipeline.terminal.console import ProgressLines
from pipeline.terminal.live import LiveNodes
from tests.pipeline.terminal.terminal import Terminal


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
def test_live_nodes_show_the_last_messages_when_they_are_drawn(width: int) -> None:
    console = Console(file=Terminal(), width=width, color_system=None, force_terminal=True)
    nodes = LiveNodes(console)

    def draw() -> list[str]:
        lines = console.render_lines(nodes, console.options, pad=False)
        return [''.join(segment.text for segment in line).rstrip() for line in lines]

    nodes.start_node('StatisticsGen', ' 3/9  StatisticsGen     ', total=9)
    nodes.add_line('StatisticsGen: counted')
    nodes.start_node('Trainer', ' 6/9  Trainer           ', total=9)
    for epoch in range(1, 10):
        nodes.add_line(f'epoch {epoch}/10: val accuracy 0.9123, val loss [0.2975]')
    lines = draw()
    assert len(lines) == 8
    assert max(map(len, lines)) <= width
    assert lines[0][1:].startswith('  3/9  StatisticsGen')
    assert lines[1][1:].startswith('  6/9  Trainer')
    assert [line[7:17] for line in lines[2:-1]] == [f'epoch {n}/10' for n in range(5, 10)]
    assert lines[-1].endswith('  0 of 9 done')
    if width == 100:
        assert lines[0].endswith(' 0 s')
        assert lines[2].endswith('val loss [0.2975]')
    nodes.add_line('StatisticsGen: merged')
    nodes.end_node('StatisticsGen')
    lines = draw()
    assert lines[0][1:].startswith('  6/9  Trainer')
    assert [line[7:17] for line in lines[1:-1]] == [f'epoch {n}/10' for n in range(6, 10)]
    assert lines[-1].endswith('  1 of 9 done')
    nodes.end_node('Trainer')
    assert [line.strip()[-11:] for line in draw()] == ['2 of 9 done']


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
