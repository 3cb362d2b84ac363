"""Computes what more data would cost, from what each node was measured to take.

What is measured is a line: a fixed part, and so much for each review that the
node reads. All else is an assumption, and each is named: the unit prices
(`prices.json`), and those below.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from components.common.errors import DataError
from components.common.settings import DEFAULT_SHARD_MIB

TRAINER = 'Trainer'

# As a stable hash splits a table, with the presets' 20% for test and 10% of the rest for val.
SPLITS = {'train': 0.72, 'val': 0.08, 'test': 0.20}
# Which splits a node reads.
READS: Mapping[str, tuple[str, ...]] = {
    'ExampleGen': ('train', 'val', 'test'),
    'StatisticsGen': ('train', 'val', 'test'),
    'Transform': ('train',),
    TRAINER: ('train', 'val'),
    'Evaluator': ('test',),
}
# A vCPU is one of the two threads of a core, and the measured core was there for us alone.
VCPU_SLOWDOWN = 2.0
# A machine is chosen so that so much of its memory is left.
MEMORY_LEFT = 0.2
# Dataflow's workers: as many as there are parts to work on, up to a quota.
MOST_WORKERS = 250
# At most, of what a shard is folded into: the texts in TFDV's sketches, a table of words, totals.
SHUFFLED_BYTES = {
    'ExampleGen': 1 << 12,
    'StatisticsGen': 64 << 20,
    'Transform': 16 << 20,
    'Evaluator': 4 << 20,
}
# What protocol buffers allow, and the share of an n-gram's 24 bytes, its key and its index, that
# are in the graph of a SavedModel; its two weights are not.
GRAPH_BYTES = 2 << 30
GRAPH_SHARE = 16 / 24
GRAPH_FULL = 'the graph of the SavedModel is full'
# From the start of a step, or of a worker, to its first line of ours.
START_SECONDS = 180
# SchemaGen, ExampleValidator, the resolver, the Pusher, each in a container of its own.
SMALL_STEPS = 4

_GIB = 1 << 30


class Line(NamedTuple):
    """A quantity as a function of the reviews that a node reads: `fixed + slope * reviews`."""

    fixed: float
    slope: float

    def at(self, reviews: float) -> float:
        """Return its value."""
        return self.fixed + self.slope * reviews


def fit(reviews: Sequence[float], values: Sequence[float]) -> Line:
    """Fit a line by least squares; neither of its parts is below 0.

    >>> fit([1, 2, 3], [5, 7, 9])
    Line(fixed=3.0, slope=2.0)
    """
    if len(set(reviews)) < 2:
        raise DataError(
            f'one size tells no growth: {sorted(set(reviews))}',
            hint='measure more: python -m benchmarks nodes --factors 0.5,1,2 --output FILE',
        )
    found = statistics.linear_regression(reviews, values)
    if found.slope <= 0:
        return Line(statistics.fmean(values), 0.0)
    if found.intercept < 0:
        through_origin = sum(x * y for x, y in zip(reviews, values)) / sum(x * x for x in reviews)
        return Line(0.0, through_origin)
    return Line(found.intercept, found.slope)


class Growth(NamedTuple):
    """How what a node takes grows.

    Attributes:
        cpu: CPU seconds.
        peak: Bytes of memory.
        output: Bytes that it writes.
    """

    cpu: Line
    peak: Line
    output: Line


def growth(results: Mapping[str, Any], variant: str) -> dict[str, Growth]:
    """Fit lines to what was measured.

    Args:
        results: What `nodes.run` returns.
        variant: Which runs: a preset, and what it was changed by.

    Returns:
        By node, those of `READS`.

    Raises:
        DataError: If there are not at least two sizes.
    """
    runs = [run for run in results['runs'] if run['variant'] == variant and not run['error']]
    found = {}
    for node, splits in READS.items():
        read = [float(sum(run['examples'][split] for split in splits)) for run in runs]
        found[node] = Growth(
            *(
                fit(read, [float(run['nodes'][node][figure]) for run in runs])
                for figure in ('cpu_seconds', 'peak_bytes', 'output_bytes')
            )
        )
    return found


class Cost(NamedTuple):
    """What a node takes and costs for so many reviews.

    Attributes:
        node: Its id.
        reviews: That it reads.
        cpu_hours: As measured, on a core of one's own.
        memory_bytes: On one of Dataflow's workers, which works on as many shards at a
            time as it has vCPUs, or on the Trainer's machine.
        where: What it runs on.
        hours: From start to end.
        dollars: Its price; None where no machine is large enough, or the model cannot
            be exported: `where` says which.
    """

    node: str
    reviews: float
    cpu_hours: float
    memory_bytes: float
    where: str
    hours: float
    dollars: float | None


def share_read(node: str) -> float:
    """Return the share of all reviews that a node reads."""
    return sum(SPLITS[split] for split in READS[node])


def shards(reviews: float, bytes_per_review: float) -> int:
    """Count the shards of so many reviews; before they are packed, each is bounded."""
    return max(1, math.ceil(reviews * bytes_per_review / (DEFAULT_SHARD_MIB << 20)))


def beam_cost(
    node: str, grown: Growth, reviews: float, parts: int, prices: Mapping[str, Any]
) -> Cost:
    """Compute what a node costs on Dataflow, nothing where a worker's memory is not enough.

    Args:
        node: Its id.
        grown: How it grows.
        reviews: That it reads.
        parts: Shards that it reads, which is as many vCPUs as can work at a time.
        prices: Of `prices.json`.
    """
    dataflow, worker = prices['dataflow'], prices['dataflow']['worker']
    cpu_hours = grown.cpu.at(reviews) / 3600
    workers = min(MOST_WORKERS, math.ceil(parts / worker['vcpus']))
    vcpu_hours = cpu_hours * VCPU_SLOWDOWN
    busy_hours = vcpu_hours / min(parts, workers * worker['vcpus'])
    hours = busy_hours + START_SECONDS / 3600
    memory = worker['vcpus'] * grown.peak.at(reviews / parts)
    if memory > usable_bytes(worker):
        return Cost(node, reviews, cpu_hours, memory, 'no worker', hours, None)
    worker_hours = workers * hours
    dollars = worker_hours * (
        worker['vcpus'] * dataflow['vcpu_hour']
        + worker['memory_gib'] * dataflow['memory_gib_hour']
        + worker['disk_gib'] * dataflow['disk_gib_hour']
    )
    dollars += parts * SHUFFLED_BYTES[node] / _GIB * dataflow['shuffle_gib']
    # The step that started the job waits for its end.
    dollars += step_price(prices, hours)
    where = f'{workers:,} {"workers" if workers > 1 else "worker"}'
    return Cost(node, reviews, cpu_hours, memory, where, hours, dollars)


def trainer_cost(
    grown: Growth, reviews: float, prices: Mapping[str, Any], *, of_ngrams: bool
) -> Cost:
    """Compute what the Trainer costs on one machine of Vertex AI.

    Nothing where no machine has the memory, or where the model could not be
    exported in the end.

    Its time is that of one vCPU, which is too much: it is paid for all of the machine's,
    but how many of them it keeps busy was not measured.

    Args:
        grown: How it grows.
        reviews: That it reads.
        prices: Of `prices.json`.
        of_ngrams: Whether the model has a table of n-grams, the keys of which are in
            the graph of the SavedModel.
    """
    memory = grown.peak.at(reviews)
    cpu_hours = grown.cpu.at(reviews) / 3600
    hours = cpu_hours * VCPU_SLOWDOWN
    if of_ngrams and reviews > most_in_graph(grown):
        return Cost(TRAINER, reviews, cpu_hours, memory, GRAPH_FULL, hours, None)
    for machine in sorted(prices['vertex']['machines'], key=lambda each: float(each['hour'])):
        if memory <= usable_bytes(machine):
            hours += START_SECONDS / 3600
            dollars = hours * machine['hour'] * prices['vertex']['fee']
            return Cost(TRAINER, reviews, cpu_hours, memory, machine['name'], hours, dollars)
    return Cost(TRAINER, reviews, cpu_hours, memory, 'no machine', hours, None)


def usable_bytes(machine: Mapping[str, Any]) -> float:
    """Return how much of a machine's memory a node may take."""
    return float(machine['memory_gib']) * _GIB * (1 - MEMORY_LEFT)


def most_reviews(grown: Growth, machine: Mapping[str, Any]) -> float:
    """Return how many reviews a machine's memory is enough for, `train` and `val` together."""
    if not grown.peak.slope:
        return math.inf
    return max(0.0, (usable_bytes(machine) - grown.peak.fixed) / grown.peak.slope)


def most_in_graph(grown: Growth) -> float:
    """Return how many reviews a model of n-grams can learn from before its graph is full."""
    return GRAPH_BYTES / (grown.output.slope * GRAPH_SHARE) if grown.output.slope else math.inf


def step_price(prices: Mapping[str, Any], hours: float) -> float:
    """Return the price of a step that takes so long on the smallest machine."""
    smallest = min(prices['vertex']['machines'], key=lambda machine: float(machine['hour']))
    return float(hours * smallest['hour'] * prices['vertex']['fee'])


def small_steps_cost(prices: Mapping[str, Any]) -> Cost:
    """Compute what the steps cost that do not grow with the data, and the run itself."""
    hours = SMALL_STEPS * START_SECONDS / 3600
    dollars = step_price(prices, hours) + float(prices['vertex']['run'])
    return Cost('all others', 0, 0, 0, f'{SMALL_STEPS} steps', hours, dollars)


def bytes_per_review(results: Mapping[str, Any]) -> float:
    """Return the mean size of a review in the input."""
    runs = [run for run in results['runs'] if not run['error']]
    return float(
        sum(run['input_bytes'] for run in runs) / sum(sum(run['examples'].values()) for run in runs)
    )
