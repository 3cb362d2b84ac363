"""Kept runs, and which runs can be kept."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from benchmarks import __main__ as cli
from benchmarks import bench, history, report
from benchmarks.contenders import CONTENDERS
from tests.benchmarks.test_report import make_results

ONLY = ['--only', 'ours-ngram,keras-tutorial']


@pytest.fixture
def file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Make a file of kept runs, to which the command line appends."""
    path = tmp_path / 'history.json'
    report.save({'runs': []}, path)
    monkeypatch.setattr(history, 'HISTORY_FILE', path)
    return path


def replace_run(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    results = {**make_results(), **changes}
    results['contenders'] = [row for row in results['contenders'] if row['name'] in CONTENDERS]
    monkeypatch.setattr(bench, 'run', lambda *_, **__: results)


def test_runs_are_appended_and_shown_when_kept(
    file: pathlib.Path,
    archive: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ['run', '--data', str(archive), *ONLY, '--seeds', '3']
    for date in ('2030-01-02 03:04 UTC', '2030-01-05 00:00 UTC'):
        replace_run(monkeypatch, date=date)
        assert cli.exit_code([*command, '--keep']) == 0
    assert cli.exit_code(command) == 0
    first, second = history.kept_runs()
    assert first['contenders'] == second['contenders']
    assert first['contenders']['ours-ngram'] == {
        'wall_seconds': 10.0,
        'cpu_seconds': 25.0,
        'peak_bytes': 1 << 30,
        'wall_ratios': [0.5, 0.8, 0.3],
        'cpu_ratios': [1.0, 0.5, 1.5],
    }
    capsys.readouterr()
    assert cli.exit_code(['history', '--since', '2030-01-03']) == 0
    assert capsys.readouterr().out.splitlines() == [
        '| date | commit | machine | Keras script, s | ngram: wall | ngram: CPU '
        '| accurate: wall | accurate: CPU | tutorial: wall | tutorial: CPU |',
        '|---|---|---|---:|---:|---:|---:|---:|---:|---:|',
        '| 2030-01-05 00:00 UTC | 0123456789ab | 2 cores (Some CPU), 24 GiB | 20.0 '
        '| 0.50 (0.30 to 0.80) | 1.00 (0.50 to 1.50) |  |  |  |  |',
        '',
        'ngram (kept runs: 1): wall 0.50 to 0.50 (pairs 0.30 to 0.80), '
        'CPU 1.00 to 1.00 (pairs 0.50 to 1.50)',
    ]


def test_run_is_not_kept_when_a_contender_failed(
    file: pathlib.Path, archive: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = make_results()
    monkeypatch.setattr(bench, 'run', lambda *_, **__: results)
    assert cli.exit_code(['run', '--data', str(archive), *ONLY, '--seeds', '3', '--keep']) == 5
    assert history.kept_runs() == []


@pytest.mark.parametrize(
    ('options', 'published'),
    [([], [report.BENCH_FILE]), (['--passes', '0'], []), (ONLY, [])],
)
def test_published_results_are_replaced_only_when_everything_is_measured(
    options: list[str],
    published: list[pathlib.Path],
    archive: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved: list[pathlib.Path] = []
    replace_run(monkeypatch)
    monkeypatch.setattr(report, 'save', lambda _, path: saved.append(path))
    assert cli.exit_code(['run', '--data', str(archive), *options]) == 0
    assert saved == published


@pytest.mark.parametrize(
    'options',
    [
        [*ONLY, '--seeds', '2'],
        ['--only', 'ours-ngram', '--seeds', '3'],
        ['--only', 'keras-tutorial,fasttext', '--seeds', '3'],
    ],
)
def test_keeping_is_a_usage_error_when_pairs_are_missing(
    options: list[str],
    archive: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delattr(bench, 'run')
    assert cli.exit_code(['run', '--data', str(archive), '--keep', *options]) == 2
    assert '--keep needs keras-tutorial' in capsys.readouterr().err


def test_summary_has_the_range_of_the_medians_and_of_all_pairs() -> None:
    runs = [
        {'contenders': {'ours-ngram': {'wall_ratios': walls, 'cpu_ratios': cpus}}}
        for walls, cpus in [([0.5, 0.8, 2.0], [0.9, 1.0, 1.1]), ([1.2], [])]
    ]
    assert history.summary(runs) == (
        'ngram (kept runs: 2): wall 0.80 to 1.20 (pairs 0.50 to 2.00),'
        ' CPU 1.00 to 1.00 (pairs 0.90 to 1.10)'
    )
