from __future__ import annotations

import itertools
from typing import Any

import pytest

from benchmarks import cost, cost_report, report
from benchmarks.cost import Growth, Line, fit
from components.common.errors import DataError

GIB = 1 << 30
PRICES: dict[str, Any] = {
    'as_of': '2020-01-01',
    'region': 'nowhere',
    'sources': ['a page'],
    'what': 'made up',
    'dataflow': {
        'worker': {'vcpus': 4, 'memory_gib': 10.0, 'disk_gib': 100.0},
        'vcpu_hour': 0.5,
        'memory_gib_hour': 0.1,
        'disk_gib_hour': 0.01,
        'shuffle_gib': 0.25,
    },
    'vertex': {
        'run': 0.25,
        'fee': 1.5,
        'machines': [
            {'name': 'large', 'vcpus': 8, 'memory_gib': 100, 'hour': 10.0},
            {'name': 'small', 'vcpus': 2, 'memory_gib': 10, 'hour': 1.0},
        ],
    },
}
START = cost.START_SECONDS / 3600


def make_results() -> dict[str, Any]:
    """Return runs of two sizes, in which each node takes 2 s, and 1 ms for each review it reads."""
    runs = []
    sizes = ((1.0, 10_000), (3.0, 30_000))
    for variant, (factor, reviews) in itertools.product(('ngram', 'tutorial'), sizes):
        examples = {'train': reviews * 6 // 10, 'val': reviews // 10, 'test': reviews * 3 // 10}
        nodes = {
            node: {
                'cpu_seconds': 2 + read / 1_000,
                'peak_bytes': GIB + read * (20_000 if node == 'Trainer' else 1_000),
                'output_bytes': read * 500,
            }
            for node, splits in cost.READS.items()
            for read in [sum(examples[split] for split in splits)]
        }
        run = {'factor': factor, 'variant': variant, 'error': None, 'nodes': nodes}
        runs.append({**run, 'examples': examples, 'input_bytes': 1_300 * reviews})
    runs.append({'factor': 9.0, 'variant': 'ngram', 'error': 'exit code -9: no message'})
    machine = {'cores': 2, 'cpu': 'AMD EPYC', 'memory_bytes': 24 * GIB, 'load_average': 0.26}
    versions = {'python': '3.10.13', 'tfx': '1.16.0', 'tensorflow': '2.16.2'}
    return {
        'date': '2026-11-25 14:00 UTC',
        'commit': 'abc',
        'machine': machine,
        'versions': versions,
        'runs': runs,
    }


def test_line_is_through_the_points_when_they_are_on_one() -> None:
    line = fit([1, 2, 4], [12, 14, 18])
    assert (line.fixed, line.slope) == pytest.approx((10, 2))
    assert line.at(100) == pytest.approx(210)


def test_line_has_no_negative_part_when_points_scatter() -> None:
    assert fit([1, 2], [1, 3]) == Line(0.0, pytest.approx(7 / 5))
    assert fit([1, 2, 3], [5, 4, 3]) == Line(4.0, 0.0)


def test_growth_is_refused_when_one_size_was_measured() -> None:
    results = make_results()
    results['runs'] = results['runs'][:1]
    with pytest.raises(DataError, match='one size tells no growth') as caught:
        cost.growth(results, 'ngram')
    assert '--factors' in caught.value.hint


def test_each_node_grows_by_what_it_reads() -> None:
    for grown in cost.growth(make_results(), 'ngram').values():
        assert grown.cpu == Line(pytest.approx(2), pytest.approx(1e-3))
        assert grown.output == Line(pytest.approx(0, abs=1e-6), pytest.approx(500))


def test_beam_node_costs_what_its_workers_do() -> None:
    cpu = Line(0.0, 3_600 / 1e6)  # an hour per million reviews
    grown = Growth(cpu, Line(1e9, 100.0), Line(0.0, 1.0))
    found = cost.beam_cost('StatisticsGen', grown, 40e6, 20, PRICES)
    # 40 hours on a core are 80 on vCPUs, of which 20 have a shard each.
    assert found.cpu_hours == pytest.approx(40)
    assert found.hours == pytest.approx(4 + START)
    assert found.where == '5 workers'
    # 4 shards at a time, of 2 million reviews each.
    assert found.memory_bytes == pytest.approx(4 * (1e9 + 2e6 * 100))
    worker = 4 * 0.5 + 10 * 0.1 + 100 * 0.01
    shuffled = 20 * 64 / 1024 * 0.25
    expected = 5 * found.hours * worker + shuffled + found.hours * 1.0 * 1.5
    assert found.dollars == pytest.approx(expected)


@pytest.mark.parametrize(('gib', 'fits'), [(1.99, True), (2.01, False)])
def test_beam_node_has_no_price_when_a_worker_has_not_the_memory(gib: float, *, fits: bool) -> None:
    # Of 10 GiB, a fifth is to be left, and 4 shards are worked on at a time.
    grown = Growth(Line(0.0, 1e-3), Line(gib * GIB / 2, gib * GIB / 2e6), Line(0.0, 1.0))
    found = cost.beam_cost('Transform', grown, 20e6, 20, PRICES)
    assert found.memory_bytes == pytest.approx(4 * gib * GIB)
    assert found.where == ('5 workers' if fits else 'no worker')
    assert (found.dollars is not None) == fits


def test_workers_are_no_more_than_the_quota_when_there_are_more_shards() -> None:
    cpu = Line(0.0, 3.6)
    grown = Growth(cpu, Line(1e9, 0.0), Line(0.0, 1.0))
    found = cost.beam_cost('Transform', grown, 1e6, 100_000, PRICES)
    assert found.where == f'{cost.MOST_WORKERS} workers'
    assert found.hours == pytest.approx(2 * 1_000 / (4 * cost.MOST_WORKERS) + START)


@pytest.mark.parametrize(
    ('gib', 'where', 'hour'),
    [(7.9, 'small', 1.0), (8.1, 'large', 10.0), (79.9, 'large', 10.0), (80.1, 'no machine', None)],
)
def test_trainer_is_given_the_cheapest_machine_with_enough_memory(
    gib: float, where: str, hour: float | None
) -> None:
    per_review = gib * GIB / 1e6
    grown = Growth(Line(0, 0.0036), Line(0, per_review), Line(0, 1))
    found = cost.trainer_cost(grown, 1e6, PRICES, of_ngrams=False)
    assert found.where == where
    if hour is None:
        assert found.dollars is None
    else:
        assert found.dollars == pytest.approx((2 + START) * hour * 1.5)


def test_most_reviews_are_those_that_just_fit() -> None:
    (large, small) = PRICES['vertex']['machines']
    grown = Growth(Line(0, 0), Line(GIB, 1_000), Line(0, 0))
    for machine in (large, small):
        most = cost.most_reviews(grown, machine)
        assert grown.peak.at(most) == pytest.approx(cost.usable_bytes(machine))
    assert cost.most_reviews(grown._replace(peak=Line(GIB, 0)), small) == float('inf')


def test_graph_is_full_when_keys_and_indices_have_two_gib() -> None:
    # 10 n-grams of 24 bytes for each review, 16 of them in the graph.
    grown = Growth(Line(0, 0), Line(0, 0), Line(0, 240))
    assert cost.most_in_graph(grown) * 160 == pytest.approx(2 * GIB)
    assert cost.most_in_graph(grown._replace(output=Line(1, 0))) == float('inf')


@pytest.mark.parametrize('of_ngrams', [True, False])
@pytest.mark.parametrize('reviews', [13e6, 14e6])
def test_trainer_has_no_price_when_its_model_could_not_be_exported(
    reviews: float, *, of_ngrams: bool
) -> None:
    grown = Growth(Line(0, 1e-3), Line(GIB, 0), Line(0, 240))
    assert 13e6 < cost.most_in_graph(grown) < 14e6
    found = cost.trainer_cost(grown, reviews, PRICES, of_ngrams=of_ngrams)
    full = of_ngrams and reviews == 14e6
    assert found.where == ('the graph of the SavedModel is full' if full else 'small')
    assert (found.dollars is None) == full


def test_shards_are_as_many_as_hold_the_data() -> None:
    assert cost.shards(10, 1_000) == 1
    assert cost.shards(1 << 18, 1 << 10) == 1
    assert cost.shards((1 << 18) + 1, 1 << 10) == 2


def test_tables_name_each_node_when_something_was_measured() -> None:
    text = cost_report.markdown(make_results(), PRICES)
    for node in ('ExampleGen', 'StatisticsGen', 'Transform', 'Evaluator', 'Trainer, `ngram`'):
        assert text.count(f'| {node} |') == 1 + len(cost_report.REVIEWS)
    assert '10,000,000 reviews, 13 GB of text' in text
    assert '1,000,000,000 reviews, 1,300 GB of text' in text
    # Of a billion reviews, 16 TB are no machine's, and the n-grams fill the graph before.
    billion = text.rpartition('1,000,000,000')[2]
    rows = {line.split(' | ')[0]: line for line in billion.splitlines()}
    assert rows['| Trainer, `tutorial`'].endswith('| no machine |  | cannot |')
    full = '| the graph of the SavedModel is full |  | cannot |'
    assert rows['| Trainer, `ngram`'].endswith(full)
    assert ', with a load of 0.26 at the start; sizes against IMDB: 1, 3.' in text
    assert 'nowhere, as of 2020-01-01' in text


def test_sum_is_that_of_its_rows() -> None:
    text = cost_report.markdown(make_results(), PRICES)
    rows = [line.split('|') for line in text.splitlines() if line.startswith('|')]
    totals = [number for number, row in enumerate(rows) if 'all but the Trainer' in row[1]]
    assert len(totals) == len(cost_report.REVIEWS)
    for number in totals:
        shown = [row[-2].strip(' *').replace(',', '') for row in rows[number - 5 : number + 1]]
        dollars = list(map(float, shown))
        assert dollars[-1] == pytest.approx(sum(dollars[:-1]), abs=0.05)


def test_sum_has_no_price_when_a_row_has_none() -> None:
    results = make_results()
    for run in results['runs']:
        if not run['error']:
            run['nodes']['Transform']['peak_bytes'] *= 4
    text = cost_report.markdown(results, PRICES)
    assert text.count('| no worker |  | cannot |') == len(cost_report.REVIEWS)
    assert text.count('| **all but the Trainer** | | | | | | | **cannot** |') == 2


def test_prices_say_where_and_when_they_were_looked_up() -> None:
    prices = report.load(cost_report.PRICES_FILE)
    assert prices.keys() >= {'as_of', 'region', 'sources', 'what'}
    hours = [machine['hour'] for machine in prices['vertex']['machines']]
    memory = [machine['memory_gib'] for machine in prices['vertex']['machines']]
    assert hours == sorted(hours)
    assert memory == sorted(memory)


def test_document_is_what_the_kept_results_give() -> None:
    results, prices = map(report.load, (cost_report.NODES_FILE, cost_report.PRICES_FILE))
    content = cost_report.markdown(results, prices)
    text = cost_report.DOCUMENT.read_text(encoding='utf-8')
    assert report.updated(text, 'cost', content) == text
