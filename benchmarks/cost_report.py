"""Writes into `pipeline/cloud/SCALE.md` what was measured, and what more data would cost."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import cost, report
from benchmarks.archive import ROOT
from benchmarks.cost import TRAINER, Cost, Growth

NODES_FILE = report.RESULTS / 'nodes.json'
PRICES_FILE = ROOT / 'benchmarks' / 'prices.json'
DOCUMENT = ROOT / 'pipeline' / 'cloud' / 'SCALE.md'

REVIEWS = (10_000_000, 1_000_000_000)
# The first one's nodes are shown; of the others, the Trainer.
VARIANTS = (
    'ngram',
    'ngram+trainer.max_ngram=2',
    'ngram+trainer.min_ngram_documents=8',
    'tutorial',
    'tutorial+trainer.input=stream',
)

_GIB = 1 << 30
_TABLE_OF_NGRAMS = re.compile('ngram|accurate')


def markdown(results: Mapping[str, Any], prices: Mapping[str, Any]) -> str:
    """Return the tables: what was measured, then what each number of reviews costs."""
    variants = list(dict.fromkeys(run['variant'] for run in results['runs'] if not run['error']))
    grown = {variant: cost.growth(results, variant) for variant in variants}
    trainers = {variant: of_nodes[TRAINER] for variant, of_nodes in grown.items()}
    shared = {node: each for node, each in grown[variants[0]].items() if node != TRAINER}
    lines = [
        *_measured(shared, trainers),
        '',
        f'Measured {report.provenance(results)}, with a load of '
        f'{results["machine"]["load_average"]:.2f} at the start; sizes against IMDB: '
        f'{_sizes(results)}.',
    ]
    for reviews in REVIEWS:
        size = cost.bytes_per_review(results)
        lines += ['', *_costs(shared, trainers, reviews, size, prices)]
    lines += ['', *_limits(trainers, prices)]
    lines += [
        '',
        f'Prices: {prices["what"]}, {prices["region"]}, as of {prices["as_of"]}; to be checked at '
        f'{", ".join(prices["sources"])}.',
    ]
    return '\n'.join(lines)


def _sizes(results: Mapping[str, Any]) -> str:
    return ', '.join(
        f'{size:g}' for size in sorted({r['factor'] for r in results['runs'] if not r['error']})
    )


def _measured(shared: Mapping[str, Growth], trainers: Mapping[str, Growth]) -> Iterator[str]:
    names = 'node', 'CPU s', 'and per million reviews', 'peak, GiB', 'and per million', 'output'
    yield f'| {" | ".join(names)} |'
    yield '|---|---:|---:|---:|---:|---:|'
    named = {**shared, **{_trainer(variant): each for variant, each in trainers.items()}}
    for name, each in named.items():
        yield (
            f'| {name} | {each.cpu.fixed:.1f} | {each.cpu.slope * 1e6:,.0f} '
            f'| {each.peak.fixed / _GIB:.2f} | {each.peak.slope * 1e6 / _GIB:,.2f} '
            f'| {each.output.slope:,.0f} B per review |'
        )


def _costs(
    shared: Mapping[str, Growth],
    trainers: Mapping[str, Growth],
    reviews: int,
    size: float,
    prices: Mapping[str, Any],
) -> Iterator[str]:
    yield f'**{reviews:,} reviews, {size * reviews / 1e9:,.0f} GB of text**'
    yield ''
    yield '| node | reads | shards | CPU hours | memory, GiB | on | hours | USD |'
    yield '|---|---:|---:|---:|---:|---|---:|---:|'
    dollars = []
    for node, each in shared.items():
        read = reviews * cost.share_read(node)
        found = cost.beam_cost(node, each, read, cost.shards(read, size), prices)
        dollars.append(found.dollars)
        yield _row(found, cost.shards(read, size))
    others = cost.small_steps_cost(prices)
    yield _row(others, 0)
    total = _dollars(_sum([*dollars, others.dollars]))
    yield f'| **all but the Trainer** | | | | | | | **{total}** |'
    read = reviews * cost.share_read(TRAINER)
    for variant, each in trainers.items():
        of_ngrams = _is_of_ngrams(variant)
        found = cost.trainer_cost(each, read, prices, of_ngrams=of_ngrams)
        yield _row(found._replace(node=_trainer(variant)), cost.shards(read, size))


def _sum(dollars: Sequence[float | None]) -> float | None:
    """Add prices up; what has a part without one has none."""
    known = [each for each in dollars if each is not None]
    return sum(known) if len(known) == len(dollars) else None


def _dollars(dollars: float | None) -> str:
    return 'cannot' if dollars is None else f'{dollars:,.2f}'


def _row(found: Cost, shards: int) -> str:
    what = '| | | |'
    if found.reviews:
        what = (
            f'| {found.reviews:,.0f} | {shards:,} | {found.cpu_hours:,.1f} '
            f'| {found.memory_bytes / _GIB:,.1f}'
        )
    hours = '' if found.dollars is None else f'{found.hours:,.1f}'
    return f'| {found.node} {what} | {found.where} | {hours} | {_dollars(found.dollars)} |'


def _limits(trainers: Mapping[str, Growth], prices: Mapping[str, Any]) -> Iterator[str]:
    yield 'How many million reviews a machine has the memory to learn from, `test` included:'
    yield ''
    names = [f'`{variant.replace("+", ", ")}`' for variant in trainers]
    yield f'| machine | GiB | {" | ".join(names)} |'
    yield '|---|---:|' + '---:|' * len(names)
    for machine in prices['vertex']['machines']:
        enough = (
            f'{cost.most_reviews(each, machine) / cost.share_read(TRAINER) / 1e6:,.1f}'
            for each in trainers.values()
        )
        yield f'| {machine["name"]} | {machine["memory_gib"]:,} | {" | ".join(enough)} |'
    full = (
        f'{cost.most_in_graph(each) / cost.share_read(TRAINER) / 1e6:,.1f}'
        if _is_of_ngrams(variant)
        else 'any'
        for variant, each in trainers.items()
    )
    yield f'| any: until the graph of the SavedModel is full | | {" | ".join(full)} |'


def _is_of_ngrams(variant: str) -> bool:
    return _TABLE_OF_NGRAMS.match(variant) is not None


def _trainer(variant: str) -> str:
    return f'{TRAINER}, `{variant.replace("+", ", ")}`'


def update(path: pathlib.Path = NODES_FILE) -> bool:
    """Bring the document up to date; tell whether that changed it."""
    content = markdown(report.load(path), report.load(PRICES_FILE))
    return report.update_readme('cost', content, DOCUMENT)
