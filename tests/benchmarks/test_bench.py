"""Runs of contenders and sizes, their failures and their exit codes."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from benchmarks import __main__ as cli
from benchmarks import bench, contenders, report, scale
from benchmarks.archive import find_archive
from benchmarks.contenders import Contender
from benchmarks.plot import draw
from components.common.errors import ConfigError, DataError
from pipeline.settings.presets import PRESETS
from tests.components.example_gen.samples import encode_archive
from tests.conftest import REPO


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program(Contender):
    """A contender that runs a line of Python."""

    program: str = ''

    def command(self, archive: pathlib.Path, output: pathlib.Path, seed: int) -> list[str]:
        return [sys.executable, '-c', self.program, str(archive), str(output), str(seed)]


WORDS = (('dull', 'bad'), ('great', 'good'))


@pytest.fixture(scope='module')
def archive(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Make an archive in the layout of IMDB's, with texts that reveal their label."""
    path = tmp_path_factory.mktemp('archive') / 'tiny.tar.gz'
    members = [('aclImdb/train/unsup/1_0.txt', b'')]
    for number in range(200):
        split, label = ('train', 'test')[number // 100], number % 2
        text = f'A {WORDS[label][number // 2 % 2]} film, number {number % 7}.'
        name = f'aclImdb/{split}/{("neg", "pos")[label]}/{number}_5.txt'
        members.append((name, text.encode()))
    path.write_bytes(encode_archive(members))
    return path


def test_other_contenders_run_when_some_fail(archive: pathlib.Path) -> None:
    broken = [
        Program(name='a', title='A', kind='sklearn', program='raise ValueError("no luck")'),
        Program(name='b', title='B', kind='sklearn', program='print("done")'),
        Program(name='c', title='C', kind='sklearn', program='import sys; sys.exit(3)'),
    ]
    rows = bench.run(broken, archive)['contenders']
    assert [row['error'] for row in rows] == [
        'exit code 1: ValueError: no luck',
        "expected JSON, got 'done'",
        'exit code 3: no message',
    ]
    assert all(row['runs'][0]['wall_seconds'] > 0 for row in rows)


PEERS = [c for c in contenders.all_contenders() if c.module and not c.on_request]
NEEDS = {'sklearn': 'sklearn', 'fasttext': 'fasttext', 'keras': 'keras'}


@pytest.mark.parametrize('peer', PEERS, ids=lambda peer: peer.name)
def test_peer_trains_saves_and_scores_when_given_an_archive(
    peer: Contender, archive: pathlib.Path
) -> None:
    if importlib.util.find_spec(NEEDS[peer.kind]) is None:
        pytest.skip(f'{NEEDS[peer.kind]} is not installed; run make bench')
    (row,) = bench.run([peer], archive, passes=1)['contenders']
    assert row['error'] is None
    assert row['runs'][0]['examples'] == 100
    assert row['size_bytes'] > 0
    assert row['rate'] == max(row['rates'].values()) > 0
    assert '1 thread' in row['rates']
    if peer.kind == 'sklearn':
        assert row['accuracy'] == 1


def test_row_has_the_median_when_there_are_several_seeds() -> None:
    contender = PEERS[0]
    runs = [
        {'seed': seed, 'error': None, 'rates': {'1 thread': float(seed)}}
        | dict.fromkeys(bench._FIGURES, float(seed))
        for seed in (1, 5, 3)
    ]
    row = bench.summarise(contender, runs)
    assert (row['accuracy'], row['rate']) == (3, 3)
    assert [run['accuracy'] for run in row['runs']] == [1, 5, 3]


def test_selection_has_all_contenders_except_those_on_request() -> None:
    names = [contender.name for contender in contenders.select()]
    assert {f'ours-{preset}' for preset in PRESETS} <= set(names)
    assert 'tfx-example' not in names
    assert contenders.select(added='tfx-example')[-1].name == 'tfx-example'
    assert [c.name for c in contenders.select('fasttext, nb-svm')] == ['nb-svm', 'fasttext']
    with pytest.raises(ConfigError, match="unknown contender 'nobody'"):
        contenders.select('nobody')


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
    failing = Program(name='a', title='A', kind='sklearn', program='raise ValueError("no luck")')
    monkeypatch.setattr(contenders, 'select', lambda *_: [failing])
    output = tmp_path / 'bench.json'
    command = ['run', '--data', str(archive), '--only', 'a', '--output', str(output)]
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
    ('selected', 'is_kept'),
    [([], True), (['--factors', '1,8'], False), (['--preset', 'ngram'], False)],
)
def test_published_results_are_unchanged_when_only_some_sizes_run(
    selected: list[str],
    archive: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    is_kept: bool,
) -> None:
    monkeypatch.setattr(
        scale,
        '_run_size',
        lambda factor, *_: {**make_size(factor, 60), 'cpu_seconds': 50.0, 'accuracy': 0.9},
    )
    kept = set()
    monkeypatch.setattr(report, 'save', lambda _, path: kept.add(path))
    assert cli.exit_code(['scale', '--data', str(archive), *selected]) == 0
    assert '400,000' in capsys.readouterr().out
    assert kept == ({report.SCALE_FILE} if is_kept else set())


@pytest.mark.parametrize('factors', ['', '1,x', '0', '-1', 'nan'])
def test_factors_are_a_usage_error_when_invalid(factors: str) -> None:
    assert cli.exit_code(['scale', '--factors', factors]) == 2


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
