"""The work of `predict`: scores texts, or one file into another, and explains scores."""

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
from components.common.settings import ColumnSettings
from components.common.storage import is_remote, require_supported_address
from components.readers import formats, text_lines
from components.readers.lines import readable
from components.readers.messages import count_rows, quote_all
from components.readers.tables import Row, Table
from pipeline.predict.model import Explanation, PushedModel, Score, live_model
from pipeline.predict.rows import (
    Source,
    TextRow,
    make_batches,
    map_in_order,
    open_source,
    read_values,
    require_columns,
)
from pipeline.predict.writing import Columns, RowWriter, open_output, output_format
from pipeline.process import signals
from pipeline.process.logs import Terminal, no_framework_noise

_ScoredBatch = tuple[list[TextRow], list[Score | None]]


class Request(NamedTuple):
    """The arguments and options of `predict`.

    Attributes:
        texts: What to score; if empty, `input_file` or standard input is read.
        input_file: A table, or any other file with a text in each line.
        reading: How a table is read, the column with the text included.
        output_file: The table with scores to write; None to print a line per text.
        columns: Names of the columns that are added to it.
        explain: Whether to show how much each n-gram contributes to the score.
        as_json: Whether to print JSON.
    """

    texts: tuple[str, ...]
    input_file: str | None
    reading: ColumnSettings
    output_file: str | None
    columns: Columns
    explain: bool
    as_json: bool


def predict(request: Request, serving_dir: pathlib.Path) -> None:
    """Score texts with the live model.

    Raises:
        ConfigError: If the options contradict each other.
        DataError: If there is no model, the input cannot be read, or the model
            cannot explain.
    """
    if request.texts and request.input_file is not None:
        raise ConfigError('expected texts or --input FILE, got both', hint='leave one out')
    if request.output_file is not None:
        _score_file(request, request.output_file, serving_dir)
        return
    model_dir = live_model(serving_dir)
    with no_framework_noise() as terminal, _open_input(request) as source:
        model = PushedModel(model_dir)
        if request.explain:
            model.require_explanations()
        _print_scores(model, source, terminal, request)


@contextlib.contextmanager
def _open_input(request: Request) -> Iterator[Source]:
    if request.texts:
        rows = (TextRow(Row('', text, [text]), text) for text in request.texts)
        yield Source(formats.TEXT_LINES.name, Table([text_lines.COLUMN], iter(())), rows)
    elif request.input_file is None:
        yield open_source(sys.stdin.buffer, 'standard input', request.reading)
    else:
        with _open(request.input_file) as file:
            yield open_source(file, os.path.basename(request.input_file), request.reading)


def _open(path: str) -> BinaryIO:
    require_supported_address(path)
    if is_remote(path):
        raise ConfigError(
            f'predict reads files of this machine, got {path}',
            hint='copy it first, and pass the file',
        )
    if path == '-':
        raise ConfigError(
            '--input takes a file, got -', hint='leave it out: standard input is read'
        )
    if os.path.isdir(path):
        raise DataError(f'expected a file, got the folder {path}', hint='pass a file in it')
    with readable(path):
        return open(path, 'rb')


def _require_texts(rows: Iterable[TextRow]) -> Iterator[TextRow]:
    for each in rows:
        # The output has a line for each text, so no row can be left out.
        if each.text is None:
            raise DataError(
                f'{each.row.where}: the row has no text',
                hint='pass --text-column NAME, or --output FILE',
            )
        yield each


def _print_scores(model: PushedModel, source: Source, terminal: Terminal, request: Request) -> None:
    from rich.console import Console

    from pipeline.predict.explaining import explanation_json, show_explanation

    out = terminal.out
    console = Console(file=out, highlight=False)
    if source.format != formats.TEXT_LINES.name:
        require_columns(source, model.columns)
    elif model.columns:
        names = ', '.join(column.name for column in model.columns)
        line = f'warning: the model was trained with {names}, which plain texts do not have'
        print(line, file=terminal.err)

    def score_batch(batch: list[TextRow]) -> list[tuple[str, Score, Explanation | None]]:
        texts = [each.text or '' for each in batch]
        explanations = model.explain(texts) if request.explain else [None] * len(texts)
        values = read_values(batch, source.table.columns, model.columns)
        return list(zip(texts, model.score(texts, values), explanations))

    for _, results in map_in_order(score_batch, make_batches(_require_texts(source.rows))):
        for text, score, explanation in results:
            probability = float(score.probability)
            if request.as_json:
                found = {'text': text, 'label': score.label, 'probability': probability}
                explained = explanation_json(explanation) if explanation else {}
                print(json.dumps({**found, **explained}, ensure_ascii=False), file=out)
            elif explanation:
                show_explanation(
                    console, text, score, explanation, model.labels, threshold=model.threshold
                )
            else:
                print(f'{score.label}\t{probability:.4f}\t{" ".join(text.split())}', file=out)


def _score_file(request: Request, output_file: str, serving_dir: pathlib.Path) -> None:
    if request.input_file is None:
        raise ConfigError(
            '--output FILE needs a table to score', hint='pass --input FILE, and no texts'
        )
    if request.explain:
        raise ConfigError(
            '--explain and --output FILE cannot be combined',
            hint='leave out --output; --json prints the explanations as JSON',
        )
    kind = output_format(output_file)
    if _same_file(request.input_file, output_file):
        raise ConfigError(f'--output {output_file} is the input itself', hint='name another file')
    model_dir = live_model(serving_dir)
    with (
        signals.hint_on_interrupt(f'{output_file} was not written'),
        _open(request.input_file) as file,
    ):
        # Report a wrong table before the model is loaded, which takes seconds.
        source = open_source(file, os.path.basename(request.input_file), request.reading)
        with no_framework_noise() as terminal:
            model = PushedModel(model_dir)
            require_columns(source, model.columns)
            writer = RowWriter(source, kind, request.columns, model.labels)
            with open_output(output_file) as output:
                counts = _write_scores(
                    model, source, writer, file=file, output=output, terminal=terminal
                )
            _print_counts(output_file, counts, terminal, as_json=request.as_json)


def _score_rows(model: PushedModel, source: Source) -> Iterator[_ScoredBatch]:
    """Yield batches of rows with a score for each, None where there is no text."""

    def score(batch: list[TextRow]) -> list[Score | None]:
        rows = [each for each in batch if each.text is not None]
        values = read_values(rows, source.table.columns, model.columns)
        scores = iter(model.score([each.text or '' for each in rows], values))
        return [None if each.text is None else next(scores) for each in batch]

    return map_in_order(score, make_batches(source.rows))


class _Counts(NamedTuple):
    """Rows by label, rows without a text, and the time it took."""

    labels: dict[str, int]
    without_text: int
    seconds: float


def _write_scores(
    model: PushedModel,
    source: Source,
    writer: RowWriter,
    *,
    file: BinaryIO,
    output: IO[str],
    terminal: Terminal,
) -> _Counts:
    """Write all rows with their scores, and show the progress."""
    size = os.fstat(file.fileno()).st_size
    labels = dict.fromkeys(model.labels, 0)
    without_text = count = 0
    start = time.monotonic()
    with _progress_bar(terminal.err) as bar:
        task = bar.add_task('', total=size or None, rows='')
        output.write(writer.header())
        for batch, scores in _score_rows(model, source):
            if not any(scores) and not count:
                raise DataError(
                    f'none of the first {len(batch):,} rows has a text; '
                    f'the columns are {quote_all(source.table.columns)}',
                    hint='pass --text-column NAME',
                )
            for (row, _), score in zip(batch, scores):
                output.write(writer.row(row, score))
                if score is None:
                    without_text += 1
                else:
                    labels[score.label] += 1
            count += len(batch)
            rate = count / max(time.monotonic() - start, 1e-3)
            # The file is closed at its end.
            done = size if file.closed else file.tell()
            bar.update(task, completed=done, rows=f'{count:,} rows, {rate:,.0f} rows/s')
    return _Counts(labels, without_text, time.monotonic() - start)


def _progress_bar(stream: TextIO) -> Any:
    """Return a bar of the bytes that were read and the rows; it shows on terminals only."""
    from rich import progress
    from rich.console import Console

    console = Console(file=stream)
    return progress.Progress(
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TextColumn('{task.fields[rows]}'),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _print_counts(output_file: str, counts: _Counts, terminal: Terminal, *, as_json: bool) -> None:
    rows = sum(counts.labels.values()) + counts.without_text
    if as_json:
        found = {
            'output': output_file,
            'rows': rows,
            'labels': counts.labels,
            'without_text': counts.without_text,
            'seconds': round(counts.seconds, 3),
        }
        print(json.dumps(found, indent=2, ensure_ascii=False), file=terminal.out)
        return
    by_label = ', '.join(f'{number:,} {label!r}' for label, number in counts.labels.items())
    rate = f', {rows / counts.seconds:,.0f} rows/s' if counts.seconds > 0.1 else ''
    line = f'{output_file}: {count_rows(rows)} in {counts.seconds:.1f} s{rate}: {by_label}'
    if counts.without_text:
        line += f'; {counts.without_text:,} without a text, whose scores are empty'
    print(line, file=terminal.err)


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
