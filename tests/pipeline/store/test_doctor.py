"""The checks of `doctor`, on a root of real runs, intact and damaged."""

from __future__ import annotations

import io
import json
import os
import pathlib
import shutil

import pytest
from rich.console import Console

from components.common.errors import (
    ConfigError,
    DataError,
    MissingDependencyError,
    ReviewsError,
    StoreError,
)
from pipeline.doctor import data, installation, run, served, store
from pipeline.doctor.finding import Checks, Context, Finding, find_all
from pipeline.report.lineage import Lineage
from pipeline.settings.config import DataConfig
from pipeline.store.sqlite import BACKUP, METADATA, SqliteBackend
from tests.conftest import SAMPLE, call_command, snapshot
from tests.pipeline.store.conftest import RunRoot


def find(
    checks: Checks,
    root: pathlib.Path,
    serving_dir: pathlib.Path | None = None,
    data_path: pathlib.Path | None = None,
) -> dict[str, Finding]:
    """Return the findings of checks by state and subject."""
    context = Context(
        root=root,
        serving_dir=serving_dir or root / 'serving',
        backend=SqliteBackend(root),
        data=DataConfig(path=str(data_path)) if data_path else None,
    )
    return {f'{found.state} {found.subject}': found for found in find_all(checks, context)}


@pytest.fixture
def root(run_root: RunRoot) -> pathlib.Path:
    return run_root.root


class TestStore:
    def test_no_problem_is_found_and_nothing_changed_when_a_run_is_complete(
        self, root: pathlib.Path
    ) -> None:
        before = snapshot(root)
        found = find(store.CHECKS, root)
        assert set(found) == {'ok folders', 'ok runs', 'ok metadata', 'ok artifacts'}
        assert 'no damage; backup copy of 20' in found['ok metadata'].message
        assert snapshot(root) == before

    def test_file_is_reported_when_an_artifact_is_damaged(self, root: pathlib.Path) -> None:
        # Not always the newest: the last run may have taken an earlier one from the cache.
        outputs = Lineage(SqliteBackend(root).reader()).latest_outputs()
        (model,) = [a.uri for n, a in outputs if (n, a.key) == ('sentiment.Trainer', 'model')]
        (path,) = pathlib.Path(model).glob('**/words')
        path.write_bytes(path.read_bytes()[:-1])
        found = find(store.CHECKS, root)
        assert str(path) in found['warning Trainer'].message
        assert 'ok artifacts' in found

    def test_metadata_is_reported_when_it_is_damaged_or_missing(
        self, root: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / METADATA
        path.write_bytes((root / METADATA).read_bytes()[:50_000])
        found = find(store.CHECKS, tmp_path)['problem metadata']
        assert found.hint == f'python pipeline_runner.py repair --root {tmp_path}'
        path.unlink()
        shutil.copy(root / BACKUP, tmp_path)
        found = find(store.CHECKS, tmp_path)['warning metadata']
        assert 'restores its backup copy' in found.hint
        (tmp_path / BACKUP).rename(path)
        found = find(store.CHECKS, tmp_path)['warning metadata']
        assert found.message == f'{tmp_path / BACKUP} is missing or damaged'

    @pytest.mark.parametrize(
        ('file', 'root', 'serving_dir', 'expected'),
        [
            (None, 'a[1]', 'b', 'there is a [ in '),
            (None, 'b', 'a[1]', 'there is a [ in '),
            ('b/records', 'b', 'c', 'b/records: Not a directory'),
        ],
    )
    def test_folders_are_a_problem_when_a_run_cannot_use_them(
        self, file: str | None, root: str, serving_dir: str, expected: str, tmp_path: pathlib.Path
    ) -> None:
        if file:
            (tmp_path / file).parent.mkdir()
            (tmp_path / file).touch()
        found = find(store.CHECKS, tmp_path / root, tmp_path / serving_dir)
        assert isinstance(found['problem folders'].error, ConfigError)
        assert expected in found['problem folders'].message

    def test_record_is_reported_when_it_is_damaged(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'records').mkdir()
        (tmp_path / 'records' / 'a.json').write_text('{}')
        found = find(store.CHECKS, tmp_path)
        assert str(tmp_path / 'records' / 'a.json') in found['warning record'].message


@pytest.mark.usefixtures('quick_smoke_tests')
class TestServed:
    @pytest.fixture
    def serving(self, run_root: RunRoot, tmp_path: pathlib.Path) -> pathlib.Path:
        return shutil.copytree(run_root.config.serving_path, tmp_path / 'serving')

    def test_live_version_passes_when_it_is_intact(self, serving: pathlib.Path) -> None:
        (serving / '17').mkdir()
        (serving / '.abc.part').mkdir()
        found = find(served.CHECKS, serving, serving)
        assert {'ok versions', 'ok files', 'ok scores'} <= set(found)
        assert found['warning version'].hint == f'rm -r {serving / "17"}'
        assert found['warning leftover'].hint == f'rm -r {serving / ".abc.part"}'

    def test_live_version_is_a_problem_when_a_bit_is_flipped(self, serving: pathlib.Path) -> None:
        live = max(serving.iterdir())
        (path,) = live.glob('variables/variables.data*')
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
        found = find(served.CHECKS, serving, serving)['problem live version']
        assert 'differ from those pushed' in found.message
        assert found.hint.startswith(f'rm -r {live}: ')

    def test_live_version_is_a_problem_when_it_does_not_load(self, serving: pathlib.Path) -> None:
        live = max(serving.iterdir())
        (live / 'assets.extra' / 'model.sha256').unlink()
        (live / 'saved_model.pb').write_bytes(b'\xff' * 100)
        found = find(served.CHECKS, serving, serving)
        assert 'warning digest' in found
        assert 'cannot be served' in found['problem live version'].message
        assert '\n' not in found['problem live version'].message


class TestData:
    def test_labels_are_counted_when_the_data_is_readable(self, tmp_path: pathlib.Path) -> None:
        found = find(data.CHECKS, tmp_path, data_path=SAMPLE)
        assert set(found) == {'ok data', 'ok format', 'ok rows'}
        assert "fields are separated by ','" in found['ok format'].message
        assert 'positive' in found['ok rows'].message

    @pytest.mark.parametrize(
        ('name', 'content', 'expected'),
        [
            ('a.csv', 'text,label\nfine,1\nbad,7\n', 'expected a label of a known'),
            ('a.csv', 'text,y\nfine,1\n', "no column 'label' in a.csv"),
            ('a.csv', 'text,label\n"a, b",1\n"fine,1\n', 'a.csv:3'),
            ('a.txt', 'fine', 'cannot tell the format'),
            ('a.csv', '', 'the file is empty'),
            ('a.csv', 'text,label\n,1\n,0\n', 'no usable rows'),
        ],
    )
    def test_problem_is_that_of_a_run_when_the_data_is_not_usable(
        self, name: str, content: str, expected: str, tmp_path: pathlib.Path
    ) -> None:
        (tmp_path / name).write_text(content)
        found = find(data.CHECKS, tmp_path, data_path=tmp_path / name)['problem data']
        assert expected in found.message
        assert isinstance(found.error, DataError)

    def test_rejects_are_counted_when_rows_are_not_usable(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'a.csv').write_text('text,label\nfine,1\nbad,0\n,1\n')
        found = find(data.CHECKS, tmp_path, data_path=tmp_path / 'a.csv')['warning rejects']
        assert '1 not usable: empty text; the first is a.csv:4' in found.message


def test_packages_are_reported_when_they_differ_from_the_lock(tmp_path: pathlib.Path) -> None:
    lock = tmp_path / 'tfx-9.9.txt'
    lock.write_text('click==0.1 \\\n    --hash=sha256:0\nno-such-package==1.0 \\\n')
    expected = '(?s)is .*, expected 0.1; no-such-package is missing, expected 1.0'
    with pytest.raises(MissingDependencyError, match=expected):
        installation.compare_with_lock(lock)


class TestCommand:
    def test_error_is_the_first_problem_when_there_are_several(
        self,
        tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        def fail(error: ReviewsError) -> list[Finding]:
            raise error

        checks: Checks = {
            'a': lambda context: [Finding('a', 'fine')],
            'b': lambda context: fail(StoreError('broken', hint='repair it')),
            'c': lambda context: fail(DataError('x')),
            'd': lambda context: [Finding('d', 'old', 'replace it')],
        }
        monkeypatch.setattr(run, 'AREAS', {name: (name, checks) for name in ('store', 'served')})
        with pytest.raises(StoreError, match='^broken$') as found:
            run.run_doctor(tmp_path, tmp_path, None, None, as_json=True)
        assert found.value.hint == 'repair it'
        printed = json.loads(capfd.readouterr().out)
        assert [entry['exit_code'] for entry in printed] == [0, 9, 4, 0] * 2
        assert printed[1] == {
            'area': 'store',
            'subject': 'b',
            'state': 'problem',
            'message': 'broken',
            'hint': 'repair it',
            'exit_code': 9,
        }

    def test_hint_follows_the_message_when_a_finding_is_printed(self) -> None:
        console = Console(file=io.StringIO(), width=10_000)
        message = f'{os.getcwd()}/x ' + 'is broken ' * 30
        run.print_finding(console, Finding('metadata', message, 'repair it'))
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert lines[0].split()[:3] == ['!', 'metadata', 'x']
        assert [line.strip() for line in lines[1:]] == ['→ repair it']

    def test_command_finds_no_problem_when_nothing_was_run(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'a.csv').write_text('text,label\nfine,1\nbad,0\n')
        done = call_command('doctor', '--data', 'a.csv', cwd=tmp_path)
        assert done.code == 0, done.out + done.err
        assert '✓ packages' in done.out
        assert '✓ imports' in done.out
        assert [path.name for path in tmp_path.iterdir()] == ['a.csv']
