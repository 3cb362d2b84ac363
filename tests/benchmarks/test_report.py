"""Tables of results, and their place in the documents."""

from __future__ import annotations

import json
import pathlib
import statistics
from typing import Any

import pytest

from benchmarks import report
from benchmarks.contenders import RATE_REFERENCE, WALL_REFERENCE
from components.common.errors import DataError


def make_row(name: str, title: str, **figures: Any) -> dict[str, Any]:
    """Make a row whose runs have the walls, CPU times and accuracies that are given."""
    lists = {
        'wall_seconds': figures.pop('walls', [20.0]),
        'cpu_seconds': figures.pop('cpus', [25.04]),
        'accuracy': figures.pop('accuracies', [0.87]),
    }
    runs = [
        {'seed': seed, **dict(zip(lists, values))}
        for seed, values in enumerate(zip(*lists.values()), start=1)
    ]
    return {
        'name': name,
        'title': title,
        'error': None,
        'runs': runs,
        **{figure: statistics.median(values) for figure, values in lists.items()},
        'peak_bytes': 1 << 30,
        'auc': 0.95,
        'ece': 0.01234,
        'rate': 1000.0,
        'latency_ms': 1.5,
        'size_bytes': 2_500_000,
        **figures,
    }


def make_results() -> dict[str, Any]:
    return {
        'date': '2030-01-02 03:04 UTC',
        'commit': '0123456789ab',
        'machine': {'cpu': 'Some CPU', 'cores': 2, 'memory_bytes': 24 << 30},
        'versions': {'python': '3.10.1', 'tfx': '1.2.3', 'tensorflow': '4.5.6'},
        'contenders': [
            make_row(
                'ours-ngram',
                'ours',
                walls=[10.0, 12.0, 9.0],
                cpus=[20.0, 25.0, 30.0],
                accuracies=[0.9, 0.92, 0.91],
                rate=12_345.6,
            ),
            make_row(
                WALL_REFERENCE,
                'Keras',
                walls=[20.0, 15.0, 30.0],
                cpus=[20.0, 50.0, 20.0],
                accuracies=[0.87, 0.87, 0.88],
            ),
            make_row(RATE_REFERENCE, 'sklearn', walls=[30.0], rate=4_000.0),
            {'name': 'x', 'title': 'broken', 'error': 'exit code 1: no', 'runs': []},
        ],
    }


GOLDEN = """\
| contender | wall, s | of Keras | CPU, s | CPU of Keras | peak, GiB | accuracy | AUC | ECE \
| reviews/s | of sklearn | one, ms | size, MB |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| ours | 10.0 (9.0 to 12.0) | 0.50 (0.30 to 0.80) | 25.0 | 1.00 (0.50 to 1.50) | 1.00 \
| 0.9100 (0.9000 to 0.9200) | 0.9500 | 0.0123 | 12,346 | 3.09 | 1.50 | 2.5 |
| Keras | 20.0 (15.0 to 30.0) | 1.00 | 20.0 | 1.00 | 1.00 | 0.8700 (0.8700 to 0.8800) \
| 0.9500 | 0.0123 | 1,000 | 0.25 | 1.50 | 2.5 |
| sklearn | 30.0 | 1.50 | 25.0 | 1.25 | 1.00 | 0.8700 | 0.9500 | 0.0123 \
| 4,000 | 1.00 | 1.50 | 2.5 |
| broken: failed, exit code 1: no |  |  |  |  |  |  |  |  |  |  |  |  |
"""


def test_table_of_contenders_equals_the_golden_table() -> None:
    assert report.bench_table(make_results()) == GOLDEN.strip()


def test_table_has_the_selected_columns_and_ranges() -> None:
    columns = ('contender', 'wall, s', 'of Keras')
    table = report.bench_table(make_results(), columns, ('of Keras',)).splitlines()
    assert table[2:] == [
        '| ours | 10.0 | 0.50 (0.30 to 0.80) |',
        '| Keras | 20.0 | 1.00 |',
        '| sklearn | 30.0 | 1.50 |',
        '| broken: failed, exit code 1: no |  |  |',
    ]


def test_rates_are_left_out_when_none_was_measured() -> None:
    results = make_results()
    for row in results['contenders'][:3]:
        row['rate'] = None
    rows = report.bench_table(results, ('contender', 'reviews/s', 'of sklearn')).splitlines()[2:]
    assert all(row.endswith(' |  |  |') for row in rows)


def test_provenance_names_machine_and_versions() -> None:
    assert report.provenance(make_results()) == (
        '2030-01-02 03:04 UTC, commit 0123456789ab, 2 cores (Some CPU), 24 GiB, '
        'Python 3.10.1, TFX 1.2.3, TensorFlow 4.5.6'
    )


def test_tables_of_tasks_show_the_comparison_with_the_reference() -> None:
    figures = {'auc': 0.95, 'average_precision': 0.4321, 'ece': 0.0123, 'seconds': 1.26}
    better = {'by': 0.02, 'low': 0.01, 'high': 0.03}
    worse = {'by': -0.02, 'low': -0.03, 'high': -0.01}

    def task(title: str, figure: str, **contenders: dict[str, Any]) -> dict[str, Any]:
        rows = [{'name': name, **figures, **row} for name, row in contenders.items()]
        return {'title': title, 'figure': figure, 'training': 1_000, 'contenders': rows}

    one = task(
        'some', 'accuracy', ours={'accuracy': 0.9, 'ahead': better}, theirs={'accuracy': 0.88}
    )
    other = task(
        'few positive',
        'average_precision',
        ours={'accuracy': 0.95, 'ahead': worse},
        late={'accuracy': 0.9},
    )
    assert report.tasks_table({'tasks': [one, other]}).splitlines() == [
        '| task | learned from | ours | theirs | late |',
        '|---|---:|---:|---:|---:|',
        '| some | 1,000 | 0.900, 0.012 | 0.880, 0.012 |  |',
        '| few positive (average precision) | 1,000 | 0.432, 0.012, worse |  | 0.432, 0.012 |',
    ]
    assert report.task_table(one).splitlines()[2:] == [
        '| ours | 0.9000 | 0.9500 | 0.4321 | 0.0123 | 1.3 '
        '| better: accuracy +0.0200 (+0.0100 to +0.0300) |  |',
        '| theirs | 0.8800 | 0.9500 | 0.4321 | 0.0123 | 1.3 |  |  |',
    ]
    assert 'worse: average precision -0.0200 (-0.0300 to -0.0100)' in report.task_table(other)
    runs = [{**figures, 'accuracy': accuracy} for accuracy in (0.9, 0.8, 0.85)]
    behind = {'accuracy': 0.85, 'ahead': better, 'ahead_of_ngram': worse, 'runs': runs}
    seeds = task('some', 'accuracy', ours=behind)
    assert report.tasks_table({'tasks': [seeds]}).endswith(
        '| some | 1,000 | 0.850 (0.800 to 0.900), 0.012, worse than ngram |'
    )
    assert report.task_table(seeds).endswith(
        '| ours | 0.8500 (0.8000 to 0.9000) | 0.9500 (0.9500 to 0.9500) '
        '| 0.4321 (0.4321 to 0.4321) | 0.0123 (0.0123 to 0.0123) | 1.3 '
        '| better: accuracy +0.0200 (+0.0100 to +0.0300) '
        '| worse: accuracy -0.0200 (-0.0300 to -0.0100) |'
    )


def test_ratios_are_left_out_when_their_reference_failed() -> None:
    results = make_results()
    results['contenders'][1] = {**results['contenders'][1], 'error': 'exit code 1: no'}
    rows = report.bench_table(results, ('contender', 'of Keras')).splitlines()[2:]
    assert all(row.endswith(' |  |') for row in rows)


def test_results_are_unchanged_when_saved_and_loaded(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'results' / 'bench.json'
    report.save(make_results(), path)
    assert report.load(path) == json.loads(json.dumps(make_results()))
    assert [entry.name for entry in path.parent.iterdir()] == ['bench.json']


def test_results_are_a_data_error_when_missing_or_damaged(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='cannot read the results'):
        report.load(tmp_path / 'none.json')
    (tmp_path / 'bad.json').write_text('{"a": ')
    with pytest.raises(DataError, match='cannot read the results'):
        report.load(tmp_path / 'bad.json')


def test_table_has_all_sizes_when_one_failed() -> None:
    sizes = [
        {
            'factor': 1.0,
            'error': None,
            'reviews': 50_000,
            'wall_seconds': 60.0,
            'cpu_seconds': 70.0,
            'peak_bytes': 1 << 30,
            'accuracy': 0.9,
            'nodes': {'Trainer': 12.34},
        },
        {'factor': 8.0, 'error': 'exit code 1: no'},
    ]
    shown = report.sizes_table({'sizes': sizes, 'exponent': 0.9, 'violations': ['too slow']})
    for text in ('50,000', '12.3', 'failed', 'exponent 0.90', 'too slow'):
        assert text in shown
