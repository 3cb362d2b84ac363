"""The checks of `doctor`, on a root of real runs, intact and damaged."""

from __future__ import annotations

import io
import json
import os
import pathlib
import shutil
from collections.abc import Sequence

import pytest
from rich.console import Console

from components.common.errors import ConfigError, DataError, ServiceError, StoreError
from pipeline.doctor import data, installation, run, served, store
from pipeline.doctor.finding import Check, Context, Finding, ok, problem, warning
from pipeline.report.lineage import Lineage
from pipeline.settings.config import DataConfig
from pipeline.settings.metadata import MetadataSettings
from pipeline.store import metadata_file, metadata_store
from pipeline.store.backend import Backend
from pipeline.store.mysql import MysqlBackend, Server
from pipeline.store.sqlite import BACKUP, SqliteBackend
from tests.conftest import SAMPLE, run_command, snapshot
from tests.pipeline.store.conftest import Workshop


def find(
    checks: Sequence[Check],
    root: pathlib.Path,
    serving_dir: pathlib.Path | None = None,
    backend: Backend | None = None,
    data_path: pathlib.Path | None = None,
) -> dict[str, Finding]:
    """Return the findings of checks by state and subject."""
    context = Context(
        root=root,
        serving_dir=serving_dir or root / 'serving',
        backend=backend or SqliteBackend(root),
        data=DataConfig(path=str(data_path)) if data_path else None,
    )
    found = [finding for check in checks for finding in check(context)]
    return {f'{finding.state} {finding.subject}': finding for finding in found}


@pytest.fixture
def root(workshop: Workshop) -> pathlib.Path:
    return workshop.root


class TestStore:
    def test_no_problem_is_found_and_nothing_changed_when_a_run_is_complete(
        self, root: pathlib.Path
    ) -> None:
        before = snapshot(root)
        found = find(store.CHECKS, root)
        assert {'ok folders', 'ok runs', 'ok metadata', 'ok backup copy', 'ok artifacts'} == set(
            found
        )
        assert snapshot(root) == before

    def test_file_is_reported_when_an_artifact_is_damaged(self, root: pathlib.Path) -> None:
        # Not always the newest: the last run may have taken an earlier one from the cache.
        outputs = Lineage(SqliteBackend(root).reader()).latest_outputs()
        (model,) = [a.uri for n, a in outputs if (n, a.key) == ('sentiment.Trainer', 'model')]
        (path,) = pathlib.Path(model).glob('**/words')
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        found = find(store.CHECKS, root)
        path.write_bytes(content)
        assert str(path) in found['warning Trainer'].message
        assert 'ok artifacts' in found

    def test_metadata_is_a_problem_when_it_is_damaged(
        self, root: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / metadata_file.METADATA
        path.write_bytes((root / metadata_file.METADATA).read_bytes()[:50_000])
        found = find(store.CHECKS, tmp_path)
        assert found['problem metadata'].hint == (
            f'python pipeline_runner.py repair --root {tmp_path}'
        )
        path.unlink()
        shutil.copy(root / BACKUP, tmp_path)
        found = find(store.CHECKS, tmp_path)
        assert 'restores its backup copy' in found['warning metadata'].hint

    def test_server_is_a_problem_when_it_fails_while_it_is_read(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = MetadataSettings(
            backend='mysql', socket=str(tmp_path / 'gone.sock'), database='d', user='u'
        )
        monkeypatch.setattr(MysqlBackend, 'server', lambda _: Server('10.11', 10))
        monkeypatch.setattr(metadata_store, '_CREATION_SECONDS', 0)
        found = find(store.CHECKS, tmp_path, backend=MysqlBackend(settings, tmp_path))
        assert found['problem metadata'].error is ServiceError
        assert f'ML Metadata cannot use {settings.where}: ' in found['problem metadata'].message

    @pytest.mark.parametrize(
        ('path', 'root', 'serving_dir', 'expected'),
        [
            (None, 'a[1]', 'b', 'there is a [ in '),
            (None, 'b', 'a[1]', 'there is a [ in '),
            ('b/records', 'b', 'c', 'b/records is not a folder'),
        ],
    )
    def test_folders_are_a_problem_when_a_run_cannot_use_them(
        self, path: str | None, root: str, serving_dir: str, expected: str, tmp_path: pathlib.Path
    ) -> None:
        if path:
            (tmp_path / path).parent.mkdir()
            (tmp_path / path).touch()
        found = find(store.CHECKS, tmp_path / root, tmp_path / serving_dir)
        assert found['problem folders'].error is ConfigError
        assert expected in found['problem folders'].message

    def test_record_is_reported_when_it_is_damaged(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'records').mkdir()
        (tmp_path / 'records' / 'a.json').write_text('{}')
        found = find(store.CHECKS, tmp_path)
        assert str(tmp_path / 'records' / 'a.json') in found['warning record'].message


class TestServed:
    @pytest.fixture
    def serving(
        self, root: pathlib.Path, workshop: Workshop, tmp_path: pathlib.Path
    ) -> pathlib.Path:
        return shutil.copytree(workshop.config.serving_path, tmp_path / 'serving')

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
        (live / 'assets.extra' / 'model_card.md').unlink()  # the digest of its files
        (live / 'saved_model.pb').write_bytes(b'\xff' * 100)
        found = find(served.CHECKS, serving, serving)
        assert 'warning model card' in found
        assert 'cannot be served' in found['problem live version'].message
        assert '\n' not in found['problem live version'].message


class TestData:
    def test_labels_are_counted_when_the_data_is_readable(self, tmp_path: pathlib.Path) -> None:
        found = find(data.CHECKS, tmp_path, data_path=SAMPLE)
        assert set(found) == {'ok data', 'ok rows'}
        assert 'positive' in found['ok rows'].message

    @pytest.mark.parametrize(
        ('name', 'content', 'subject', 'expected'),
        [
            ('a.csv', 'text,label\nfine,1\nbad,7\n', 'rows', 'expected a label of a known'),
            ('a.csv', 'text,y\nfine,1\n', 'data', "no column 'label' in a.csv"),
            ('a.csv', 'text,label\n"fine,1\n', 'rows', 'a.csv'),
            ('a.txt', 'fine', 'data', 'cannot tell the format'),
            ('a.csv', '', 'data', 'the file is empty'),
            ('a.csv', 'text,label\n,1\n,0\n', 'rows', 'no usable rows'),
        ],
    )
    def test_problem_is_that_of_a_run_when_the_data_is_not_usable(
        self, name: str, content: str, subject: str, expected: str, tmp_path: pathlib.Path
    ) -> None:
        (tmp_path / name).write_text(content)
        found = find(data.CHECKS, tmp_path, data_path=tmp_path / name)[f'problem {subject}']
        assert expected in found.message
        assert found.error is DataError

    def test_rejects_are_counted_when_rows_are_not_usable(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'a.csv').write_text('text,label\nfine,1\nbad,0\n,1\n')
        found = find(data.CHECKS, tmp_path, data_path=tmp_path / 'a.csv')['warning rejects']
        assert '1 not usable: empty text; the first is a.csv:4' in found.message


def test_package_is_reported_when_it_differs_from_the_lock(tmp_path: pathlib.Path) -> None:
    lock = tmp_path / 'tfx-9.9.txt'
    lock.write_text('click==0.1 \\\n    --hash=sha256:0\nno-such-package==1.0 \\\n')
    found = installation.compare_with_lock(lock)
    assert 'no-such-package is missing, expected 1.0' in found.message
    assert ', expected 0.1' in found.message
    assert (found.state, found.error.exit_code) == ('problem', 6)


class TestCommand:
    def test_error_is_the_first_problem_when_there_are_several(
        self,
        tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        findings = [
            ok('a', 'fine'), problem('b', 'broken', 'mend it'), problem('c', 'x', '', DataError),
            warning('d', 'old'),
        ]  # fmt: skip
        areas = {name: (name, (lambda context: findings,)) for name in ('store', 'served')}
        monkeypatch.setattr(run, 'AREAS', areas)
        with pytest.raises(StoreError, match='^broken$') as found:
            run.run_doctor(tmp_path, tmp_path, None, None, as_json=True)
        assert found.value.hint == 'mend it'
        printed = json.loads(capfd.readouterr().out)
        assert [entry['exit_code'] for entry in printed] == [0, 9, 4, 0] * 2
        assert printed[1] == {
            'area': 'store',
            'subject': 'b',
            'state': 'problem',
            'message': 'broken',
            'hint': 'mend it',
            'exit_code': 9,
        }

    def test_hint_follows_the_message_when_a_finding_is_printed(self) -> None:
        console = Console(file=io.StringIO(), width=10_000)
        message = f'{os.getcwd()}/x ' + 'is broken ' * 30
        run.print_finding(console, problem('metadata', message, 'mend it'))
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert lines[0].split()[:3] == ['✗', 'metadata', 'x']
        assert [line.strip() for line in lines[1:]] == ['→ mend it']

    def test_command_finds_no_problem_when_nothing_was_run(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'a.csv').write_text('text,label\nfine,1\nbad,0\n')
        done = run_command('doctor', '--data', 'a.csv', cwd=tmp_path)
        assert done.code == 0, done.out + done.err
        assert '✓ packages' in done.out
        assert '✓ imports' in done.out
        assert [path.name for path in tmp_path.iterdir()] == ['a.csv']
