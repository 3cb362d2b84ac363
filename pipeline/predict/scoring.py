"""What `predict` does: scores texts, or a file into another one, and explains scores."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import IO, Any, BinaryIO, NamedTuple, TextIO

from components.common.errors import ConfigError, DataError
from pipeline.predict.model import PushedModel, live_model
from pipeline.predict.rows import Row, Table, open_table
from pipeline.predict.stream import batches, in_order, score_rows
from pipeline.predict.writing import Columns, RowWriter, atomic_file, output_format
from pipeline.process import signals
from pipeline.process.logs import Terminal, no_framework_noise


class Request(NamedTuple):
    """What is asked for.

    Attributes:
        texts: What to score; if empty, `input_file` or standard input is read.
        input_file: A table, or any other file with a text in each line.
        text_column: The column of a table that holds the text.
        output_file: Where a table with scores goes; none: a line per text is
            printed.
        columns: Names of the columns that are added to it.
        explain: Tell what moved each score.
        as_json: Print JSON for machines.
    """

    texts: tuple[str, ...]
    input_file: str | None
    text_column: str
    output_file: str | None
    columns: Columns
    explain: bool
    as_json: bool


def predict(request: Request, serving_dir: pathlib.Path) -> None:
    """Score texts with the live model.

    Raises:
        ConfigError: If what is asked for does not go together.
        DataError: If there is no model, the input cannot be read, or the model
            cannot explain.
    """
    if request.texts and request.input_file is not None:
        raise ConfigError('expected texts or --input FILE, got both', hint='leave one out')
    if request.output_file is not None:
        _score_file(request, request.output_file, serving_dir)
        return
    model_dir = live_model(serving_dir)
    with no_framework_noise() as terminal, _input(request) as table:
        model = PushedModel(model_dir)
        if request.explain:
            model.require_explanations()
            _print_explanations(model, table, terminal.out, as_json=request.as_json)
        else:
            _print_scores(model, table, terminal.out, as_json=request.as_json)


@contextlib.contextmanager
def _input(request: Request) -> Iterator[Table]:
    """Open what is to be scored."""
    if request.texts:
        rows = (Row('', text, [text], text) for text in request.texts)
        yield Table('txt', ['text'], '', '', '\n', rows)
    elif request.input_file is None:
        yield open_table(sys.stdin.buffer, 'standard input', request.text_column)
    else:
        with _opened(request.input_file) as file:
            name = os.path.basename(request.input_file)
            yield open_table(file, name, request.text_column)


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, 'rb')
    except OSError as err:
        raise DataError(
            f'cannot read {path}: {err.strerror or err}',
            hint='--input takes a text per line, or a table',
        ) from err


def _print_scores(model: PushedModel, table: Table, out: TextIO, *, as_json: bool) -> None:
    for rows, scores in score_rows(model, _with_text(table.rows)):
        for row, score in zip(rows, scores):
            assert score is not None
            if as_json:
                found = {
                    'text': row.text,
                    'label': score.label,
                    'probability': float(score.probability),
                }
                line = json.dumps(found, ensure_ascii=False)
            else:
                probability = float(score.probability)
                line = f'{score.label}\t{probability:.4f}\t{" ".join((row.text or "").split())}'
            print(line, file=out)


def _with_text(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows, each of which must have a text: one left out would shift those after it."""
    for row in rows:
        if row.text is None:
            raise DataError(
                f'{row.where}: the row has no text', hint='say --text-column NAME, or --output FILE'
            )
        yield row


def _print_explanations(model: PushedModel, table: Table, out: TextIO, *, as_json: bool) -> None:
    from rich.console import Console

    from pipeline.predict.explaining import explanation_json, show_explanation

    console = Console(file=out, highlight=False)

    def explain(batch: list[Row]) -> Iterator[Any]:
        texts = [row.text or '' for row in batch]
        return zip(texts, model.score(texts), model.explain(texts))

    for _, explained in in_order(explain, batches(_with_text(table.rows))):
        for text, score, explanation in explained:
            if as_json:
                found = {
                    'text': text,
                    'label': score.label,
                    'probability': float(score.probability),
                    **explanation_json(explanation),
                }
                print(json.dumps(found, ensure_ascii=False), file=out)
            else:
                show_explanation(console, text, score, explanation, model.labels)


def _score_file(request: Request, output_file: str, serving_dir: pathlib.Path) -> None:
    """Score a table into another one."""
    if request.texts:
        raise ConfigError('--output FILE needs --input FILE, not texts', hint='leave one out')
    if request.input_file is None:
        raise ConfigError('--output FILE needs --input FILE', hint='name the table to score')
    if request.explain:
        raise ConfigError(
            '--explain is printed, not written', hint='leave out --output; --json is for machines'
        )
    kind = output_format(output_file)
    if _same_file(request.input_file, output_file):
        raise ConfigError(f'--output {output_file} is the input itself', hint='name another file')
    model_dir = live_model(serving_dir)
    with signals.resuming(f'{output_file} was not written'), _opened(
        request.input_file
    ) as file:
        # Before a model is loaded, which takes seconds.
        table = open_table(file, os.path.basename(request.input_file), request.text_column)
        with no_framework_noise() as terminal:
            model = PushedModel(model_dir)
            writer = RowWriter(table, kind, request.columns, model.labels)
            with atomic_file(output_file) as output:
                report = _score_table(
                    model, table, writer, file=file, output=output, terminal=terminal
                )
            _tell(output_file, report, terminal, as_json=request.as_json)


class _Report(NamedTuple):
    """How it went: rows by label, rows without a text, and the time it took."""

    labels: dict[str, int]
    without_text: int
    seconds: float

    @property
    def rows(self) -> int:
        return sum(self.labels.values()) + self.without_text


def _score_table(
    model: PushedModel,
    table: Table,
    writer: RowWriter,
    *,
    file: BinaryIO,
    output: IO[str],
    terminal: Terminal,
) -> _Report:
    """Write all rows with their scores, and show how far it is."""
    from pipeline.predict.progress import Progress

    size = os.fstat(file.fileno()).st_size
    labels = dict.fromkeys(model.labels, 0)
    without_text = count = 0
    began = time.monotonic()
    with Progress(terminal.err, size) as progress:
        output.write(writer.header())
        for rows, scores in score_rows(model, table.rows):
            if not any(scores) and not count:
                raise DataError(
                    f'none of the first {len(rows):,} rows has a text; '
                    f'the columns are {", ".join(map(repr, table.columns))}',
                    hint='say --text-column NAME',
                )
            for row, score in zip(rows, scores):
                output.write(writer.row(row, score))
                if score is None:
                    without_text += 1
                else:
                    labels[score.label] += 1
            count += len(rows)
            # Where all is read, the file is closed.
            progress.update(size if file.closed else file.tell(), count)
    return _Report(labels, without_text, time.monotonic() - began)


def _tell(output_file: str, report: _Report, terminal: Terminal, *, as_json: bool) -> None:
    if as_json:
        found = {
            'output': output_file,
            'rows': report.rows,
            'labels': report.labels,
            'without_text': report.without_text,
            'seconds': round(report.seconds, 3),
        }
        print(json.dumps(found, indent=2, ensure_ascii=False), file=terminal.out)
        return
    told = ', '.join(f'{number:,} {label!r}' for label, number in report.labels.items())
    rate = f', {report.rows / report.seconds:,.0f} rows/s' if report.seconds > 0.1 else ''
    line = f'{output_file}: {report.rows:,} rows in {report.seconds:.1f} s{rate}: {told}'
    if report.without_text:
        line += f'; {report.without_text:,} without a text, whose scores are empty'
    print(line, file=terminal.err)


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
