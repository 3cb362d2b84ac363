"""The command `predict`: score texts with the pushed model."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import JSON, NAME, ROOT, SERVING_DIR


@click.command(short_help='Score texts with the live model.')
@click.argument('texts', nargs=-1)
@click.option(
    '--input',
    'input_file',
    metavar='FILE',
    help='File with one text per line, or a table (.csv, .tsv or .jsonl, optionally .gz).',
)
@click.option(
    '--text-column',
    default='text',
    metavar='NAME',
    help='Column with the text, if FILE is a table [default: text].',
)
@click.option('--explain', is_flag=True, help='Show how much each word contributes to the logit.')
@click.option(
    '--output',
    'output_file',
    metavar='FILE',
    help='Write the table with its scores to FILE (.csv, .tsv or .jsonl, optionally .gz).',
)
@click.option(
    '--label-column',
    default='label',
    metavar='NAME',
    help='Name of the added label column [default: label].',
)
@click.option(
    '--probability-column',
    default='probability',
    metavar='NAME',
    help='Name of the added probability column [default: probability].',
)
@SERVING_DIR
@ROOT
@NAME
@JSON
def predict(
    texts: tuple[str, ...],
    *,
    label_column: str,
    probability_column: str,
    root: str | None,
    name: str | None,
    serving_dir: str | None,
    **what: Any,
) -> None:
    """Score texts with the live model: arguments, a file or standard input.

    With --output, the command scores a table of any size row by row. It keeps all
    columns and adds two: the label, and the probability of the positive label. The
    new columns are empty for a row without a text. The command fails if the table
    already has columns with these names. If a row cannot be read, nothing is written.
    """
    from pipeline.predict.scoring import Request, predict
    from pipeline.predict.writing import Columns
    from pipeline.settings.config import serving_location

    request = Request(texts=texts, columns=Columns(label_column, probability_column), **what)
    predict(request, serving_location(root=root, name=name, serving_dir=serving_dir))
