"""Runs of contenders and sizes, their failures and their exit codes."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from benchmarks import __main__ as cli
from benchmarks import bench, nodes, report, scale
from benchmarks.archive import find_archive
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.plot import draw
from components.common.errors import DataError
from pipeline.settings.presets import OWN_PRESETS
from tests.conftest import REPO


class Program(Contender):
    """A contender whose variant is a line of Python."""

    def command(self, archive: pathlib.Path, output: pathlib.Path, seed: int) -> list[str]:
        return [sys.executable, '-c', self.variant, str(archive), str(output), str(seed)]


def test_other_contenders_run_when_some_fail(archive: pathlib.Path) -> None:
    programs = ['raise ValueError("no luck")', 'print("done")', 'import sys; sys.exit(3)']
    broken = [Program(program, program, 'sklearn_models', program) for program in programs]
    rows = bench.run(broken, archive)['contenders']
    assert [row['error'] for row in rows] == [
        'exit code 1: ValueError: no luck',
        "expected JSON, got 'done'",
        'exit code 3: no message',
    ]
    assert all(row['runs'][0]['wall_seconds'] > 0 for row in rows)


def test_contenders_run_in_turn_when_there_are_several_seeds(
    archive: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, int]] = []

    def run_once(contender: Contender, _: pathlib.Path, seed: int, __: int) -> dict[str, Any]:
        started.append((contender.name, seed))
        return {'seed': seed, 'error': 'not run'}

    monkeypatch.setattr(bench, '_run_once', run_once)
    contenders = [CONTENDERS[name] for name in ('ours-ngram', 'nb-svm', 'keras-tutorial')]
    rows = bench.run(contenders, archive, seeds=2)['contenders']
    first = [('ours-ngram', 1), ('nb-svm', 1), ('keras-tutorial', 1)]
    assert started == [*first, ('ours-ngram', 2), ('keras-tutorial', 2)]
    assert [[run['seed'] for run in row['runs']] for row in rows] == [[1, 2], [1], [1, 2]]


PEERS = [c for c in CONTENDERS.values() if c.module != 'pipeline' and not c.on_request]


@pytest.mark.parametrize(
    'peer',
    [
        # Two processes that import TensorFlow.
        pytest.param(peer, marks=[pytest.mark.slow] if peer.name == 'keras-tutorial' else [])
        for peer in PEERS
    ],
    ids=lambda peer: peer.name,
)
def test_peer_trains_saves_and_scores_when_given_an_archive(
    peer: Contender, archive: pathlib.Path
) -> None:
    if peer.name == 'fasttext':
        pytest.importorskip('fasttext', reason='fasttext is not installed; run make bench')
    (row,) = bench.run([peer], archive, passes=1)['contenders']
    assert row['error'] is None
    assert row['runs'][0]['examples'] == 400
    assert row['size_bytes'] > 0
    assert row['rate'] == max(row['rates'].values()) > 0
    assert '1 thread' in row['rates']
    if peer.module == 'sklearn_models':
        assert row['accuracy'] == 1


def test_no_rate_is_measured_when_there_are_no_passes(archive: pathlib.Path) -> None:
    (row,) = bench.run([CONTENDERS['sklearn-tfidf']], archive, passes=0)['contenders']
    assert (row['error'], row['rates'], row['rate']) == (None, {}, None)
    assert row['accuracy'] == 1


def test_row_has_the_median_when_there_are_several_seeds() -> None:
    runs = [
        {'seed': seed, 'error': None, 'rates': {'1 thread': float(seed)}}
        | dict.fromkeys(bench._FIGURES, float(seed))
        for seed in (1, 5, 3)
    ]
    row = bench.summarise(PEERS[0], runs)
    assert (row['accuracy'], row['rate']) == (3, 3)
    assert [run['accuracy'] for run in row['runs']] == [1, 5, 3]


_DEFAULT = {name for name, c in CONTENDERS.items() if not c.on_request}


@pytest.mark.parametrize(
    ('options', 'names'),
    [
        ([], _DEFAULT),
        (['--with', 'tfx-example'], _DEFAULT | {'tfx-example'}),
        (['--only', 'fasttext, nb-svm'], {'nb-svm', 'fasttext'}),
    ],
)
def test_default_contenders_run_or_those_selected(
    options: list[str], names: set[str], archive: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected: list[Contender] = []

    def run(contenders: list[Contender], *_: object, **__: object) -> None:
        selected.extend(contenders)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, 'run', run)
    assert cli.exit_code(['run', '--data', str(archive), *options]) == 130
    assert {contender.name for contender in selected} == names
    assert {f'ours-{preset}' for preset in OWN_PRESETS} <= set(CONTENDERS)


@pytest.mark.parametrize(
    'command',
    [
        ['run', '--only', 'nobody'],
        ['elsewhere', '--only', 'few,nothing'],
        ['scale', '--preset', 'none'],
        ['nodes', '--variants', 'none+trainer.model.max_ngram=1'],
        *(['scale', '--factors', factors] for factors in ('', '1,x', '0', '-1', 'nan')),
    ],
)
def test_options_are_a_usage_error_when_invalid(command: list[str], archive: pathlib.Path) -> None:
    assert cli.exit_code([*command, '--data', str(archive)]) == 2


def test_archive_is_a_data_error_when_missing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('IMDB_ARCHIVE', str(tmp_path / 'none.tar.gz'))
    with pytest.raises(DataError, match=r'does not exist: .*none\.tar\.gz'):
        find_archive()
    assert cli.exit_code(['run']) == 4
    assert capsys.readouterr().err.count('\n') == 1
    (tmp_path / 'text.tar.gz').write_text('no archive')
    with pytest.raises(DataError, match='expected a tar archive'):
        find_archive(str(tmp_path / 'text.tar.gz'))


def test_exit_code_is_5_when_a_contender_fails(
    archive: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
) -> None:
    failing = Program('nb-svm', 'A', 'sklearn_models', 'raise ValueError("no luck")')
    monkeypatch.setitem(CONTENDERS, 'nb-svm', failing)
    output = tmp_path / 'bench.json'
    command = ['run', '--data', str(archive), '--only', 'nb-svm', '--output', str(output)]
    assert cli.exit_code(command) == 5
    assert 'A: failed, exit code 1: ValueError: no luck' in capsys.readouterr().out
    assert json.loads(output.read_text())['machine']['cores'] >= 1


def make_size(factor: float, wall: float, gib: float = 1) -> dict[str, Any]:
    return {
        'factor': factor,
        'error': None,
        'reviews': int(50_000 * factor),
        'wall_seconds': wall,
        'peak_bytes': int(gib * (1 << 30)),
        'nodes': {'Trainer': wall / 2, 'Pusher': 0.1},
    }


@pytest.mark.parametrize(
    ('sizes', 'exponent', 'violations'),
    [
        ([make_size(1, 60), make_size(8, 480)], 1, []),
        ([make_size(1, 60), make_size(8, 60 * 8.7)], 1.04, []),
        ([make_size(1, 60), make_size(8, 60 * 8.9)], 1.05, ['time grew by 8.90']),
        ([make_size(1, 60), make_size(8, 120, gib=8)], 1 / 3, ['peak was 8.00 GiB']),
        ([make_size(1, 60), make_size(4, 600, gib=9)], None, []),
        ([make_size(8, 60), {'factor': 1, 'error': 'no luck'}], None, ['1 times IMDB failed']),
    ],
)
def test_growth_is_limited_from_one_to_eight(
    sizes: list[dict[str, Any]], exponent: float | None, violations: list[str]
) -> None:
    found = scale.verdict(sizes)
    assert found['exponent'] == (exponent and pytest.approx(exponent, abs=0.01))
    assert len(found['violations']) == len(violations)
    for line, part in zip(found['violations'], violations):
        assert part in line


def test_earlier_sizes_are_saved_when_a_later_one_is_interrupted(
    archive: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def run_size(factor: float, *_: object) -> dict[str, Any]:
        if factor > 1:
            raise KeyboardInterrupt
        return make_size(factor, 60)

    monkeypatch.setattr(scale, '_run_size', run_size)
    output = tmp_path / 'scale.json'
    command = ['scale', '--data', str(archive), '--factors', '0.5,1,8', '--output', str(output)]
    assert cli.exit_code(command) == 130
    assert [row['factor'] for row in json.loads(output.read_text())['sizes']] == [0.5, 1]


@pytest.mark.parametrize(
    ('command', 'published'),
    [
        (['scale'], report.SCALE_FILE),
        (['scale', '--factors', '1,8'], None),
        (['scale', '--preset', 'ngram'], None),
        (['nodes'], report.NODES_FILE),
        (['nodes', '--factors', '0.5,1,2'], None),
        (['nodes', '--variants', 'ngram'], None),
    ],
)
@pytest.mark.parametrize('output', [None, pathlib.Path('mine.json')])
def test_published_results_are_replaced_only_when_everything_is_measured(
    command: list[str],
    published: pathlib.Path | None,
    output: pathlib.Path | None,
    archive: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*arguments: Any) -> None:
        arguments[-1]({})  # saves the results
        raise KeyboardInterrupt

    saved: list[pathlib.Path] = []
    monkeypatch.setattr(scale, 'run', run)
    monkeypatch.setattr(nodes, 'run', run)
    monkeypatch.setattr(report, 'save', lambda _, path: saved.append(path))
    options = ['--output', str(output)] if output else []
    assert cli.exit_code([*command, '--data', str(archive), *options]) == 130
    assert saved == list(filter(None, [output or published]))


def test_plot_is_reproducible(tmp_path: pathlib.Path) -> None:
    pytest.importorskip('matplotlib', reason='matplotlib is not installed; run make bench')
    results = {'sizes': [make_size(1, 60), make_size(8, 400), {'factor': 9, 'error': 'x'}]}
    for name in ('one.svg', 'again.svg'):
        draw(results, tmp_path / name)
    assert (tmp_path / 'one.svg').read_bytes() == (tmp_path / 'again.svg').read_bytes()
    with pytest.raises(DataError, match='the results have no size'):
        draw({'sizes': []}, tmp_path / 'none.svg')


def test_command_line_imports_no_large_package() -> None:
    code = (
        'import benchmarks.__main__, benchmarks.bench, benchmarks.scale, sys;'
        ' print(sorted({"numpy", "tensorflow", "sklearn", "tfx", "keras"} & set(sys.modules)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == '[]'
