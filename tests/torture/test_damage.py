"""The same command resumes after random files below the root are damaged."""

from __future__ import annotations

import json
import os
import pathlib
import random
import re
import shlex
import shutil
from collections.abc import Callable

import pytest

from components.common.model_versions import digest_of_model, recorded_digest
from pipeline.models.versions import live_version
from pipeline.predict.model import PushedModel
from tests.conftest import Finished, run_command
from tests.pipeline.store.conftest import small_table
from tests.torture.conftest import Tally

_ROUNDS = 20
_SEED = 20261125
_MAX_ERRORS = 4
_TEXTS = ['A wonderful film, I loved it.', 'Dull, and two hours too long.', '']


def _truncate(path: pathlib.Path, draw: random.Random) -> None:
    os.truncate(path, draw.randrange(max(1, path.stat().st_size)))


def _flip(path: pathlib.Path, draw: random.Random) -> None:
    """Change a bit but not the times of the file, as a defective disk does."""
    content = bytearray(path.read_bytes() or b'\0')
    status = path.stat()
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _overwrite(path: pathlib.Path, draw: random.Random) -> None:
    path.write_bytes(draw.randbytes(draw.randrange(1, 5_000)))


def _make_folder(path: pathlib.Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


_FAULTS: dict[str, Callable[[pathlib.Path, random.Random], None]] = {
    'file deleted': lambda path, draw: path.unlink(),
    'file truncated': _truncate,
    'bit flipped': _flip,
    'file overwritten': _overwrite,
    'file replaced by a folder': _make_folder,
}


def _damage(root: pathlib.Path, draw: random.Random, kind: str) -> pathlib.Path:
    """Damage a file; in half of the cases one that the next run needs."""
    needed = [root / 'metadata.sqlite', *(root / 'serving').rglob('*')]
    needed += [
        path
        for output in (root / 'artifacts').glob('*/*/*')
        if (folders := [f for f in output.iterdir() if f.name.isdecimal()])
        for path in max(folders, key=lambda folder: int(folder.name)).rglob('*')
    ]
    candidates = needed if draw.random() < 0.5 else list(root.rglob('*'))
    path = draw.choice(sorted(p for p in candidates if p.is_file()))
    _FAULTS[kind](path, draw)
    return path


def _follow_hint(message: str, home: pathlib.Path) -> list[str]:
    """Follow the hint of an error; return further options for the next run."""
    again = re.search(r'--again (\w+)', message)
    if again:
        return ['--again', again[1]]
    command = re.search(r'python pipeline_runner\.py (repair .*)', message)
    if command:
        done = run_command(*shlex.split(command[1]), cwd=home)
        assert done.code == 0, done.err
        return []
    removal = re.search(r'rm -r (\S+?)[:;\s]', message + ' ')
    assert removal, f'the message names no command: {message}'
    shutil.rmtree(removal[1])
    return []


def _run_until_success(home: pathlib.Path, args: list[str]) -> Finished:
    """Run and follow the hints of errors until a run succeeds."""
    errors: list[str] = []
    more: list[str] = []
    while True:
        done = run_command('run', *args, *more, cwd=home)
        if done.code == 0:
            return done
        assert 'Traceback' not in done.err, done.err
        lines = [line for line in done.err.splitlines() if line.startswith('error: ')]
        assert len(lines) == 1, done.err
        errors += lines
        assert len(errors) <= _MAX_ERRORS, errors
        more = _follow_hint(lines[0], home)


@pytest.mark.timeout(900)
def test_same_command_resumes_when_files_are_damaged(tmp_path: pathlib.Path, tally: Tally) -> None:
    draw = random.Random(_SEED)
    args = ['--data', str(small_table(tmp_path / 'a.csv')), '--json']
    args += ['--set', 'gate.min_accuracy=0.6', '--set', 'gate.max_accuracy_drop=0.02']
    root, serving = tmp_path / 'runs', tmp_path / 'runs' / 'serving' / 'sentiment'
    first = run_command('run', *args, cwd=tmp_path)
    assert first.code == 0, first.err
    live = live_version(serving)
    assert live is not None
    expected = [float(score.probability) for score in PushedModel(live).score(_TEXTS)]
    lost = []
    for number in range(_ROUNDS):
        kinds = draw.choices(list(_FAULTS), k=draw.choice((1, 1, 2, 3)))
        damaged = [_damage(root, draw, kind) for kind in kinds]
        where = f'round {number}: {list(zip(kinds, map(str, damaged)))}'
        loss = 0
        try:
            done = _run_until_success(tmp_path, args)
            outcome = json.loads(done.out)
            pushed = pathlib.Path(outcome['pushed']['path'])
            assert outcome['outcome'] == 'pushed'
            assert live_version(serving) == pushed
            assert digest_of_model(str(pushed)) == recorded_digest(str(pushed))
            scores = [float(score.probability) for score in PushedModel(pushed).score(_TEXTS)]
            assert scores == pytest.approx(expected, abs=1e-5)
        except AssertionError as err:
            lost.append(f'{where}: {err}')
            loss = 1
        for kind in kinds:
            tally(fault=f'{kind}, then the same command', runs=1, faults=1, losses=loss)
    assert not lost, '\n'.join(lost)
