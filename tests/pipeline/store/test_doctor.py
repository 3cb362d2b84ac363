"""The doctor, at a root of real runs, whole and damaged."""

from __future__ import annotations

import gzip
import io
import json
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator

import pytest

from components.common.errors import ConfigError, DataError, ServiceError, StoreError
from pipeline.doctor import data, installation, served, store
from pipeline.doctor.examination import examine
from pipeline.doctor.finding import Finding, ok, problem, warning
from pipeline.doctor.view import Findings
from pipeline.report.lineage import Lineage
from pipeline.settings.config import DataConfig
from pipeline.settings.metadata import MetadataSettings
from pipeline.store import copies, metadata_file, opening
from pipeline.store.mysql import MysqlBackend, Server
from pipeline.store.sqlite import SqliteBackend
from tests.conftest import SAMPLE, run_command, snapshot
from tests.pipeline.store.conftest import Workshop

_TRAINER = 'sentiment.Trainer'


def say(line: str) -> None:
    """Hear what takes long."""


def states(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {f'{finding.state} {finding.what}': finding for finding in findings}


@pytest.fixture(scope='module')
def root(workshop: Workshop) -> pathlib.Path:
    workshop.run()  # whatever other tests have done to it
    return workshop.root


class TestStore:
    def test_all_is_well_and_nothing_is_changed_when_a_run_is_complete(
        self, root: pathlib.Path, workshop: Workshop
    ) -> None:
        before = snapshot(root)
        found = states(store.check(root, workshop.config.serving_path, SqliteBackend(root), say))
        assert {'ok folders', 'ok runs', 'ok metadata', 'ok its copy', 'ok artifacts'} == set(found)
        assert snapshot(root) == before

    def test_file_is_named_when_an_artifact_is_damaged(
        self, root: pathlib.Path, workshop: Workshop
    ) -> None:
        # Not always the newest: the last run may have taken an earlier one from the cache.
        outputs = Lineage(SqliteBackend(root).reader()).latest_outputs()
        (model,) = [a.uri for node, a in outputs if (node, a.key) == (_TRAINER, 'model')]
        (path,) = pathlib.Path(model).glob('**/words')
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        found = states(store.check(root, workshop.config.serving_path, SqliteBackend(root), say))
        path.write_bytes(content)
        assert str(path) in found['warning Trainer'].told
        assert 'ok artifacts' in found

    def test_folders_are_a_problem_when_one_is_called_as_a_pattern(
        self, tmp_path: pathlib.Path
    ) -> None:
        plain, pattern = tmp_path / 'a', tmp_path / 'a[1]'
        for root, serving_dir in ((pattern, plain), (plain, pattern)):
            found = states(store.check(root, serving_dir, SqliteBackend(root), say))
            assert 'there is a [ in ' in found['problem folders'].told

    def test_metadata_is_a_problem_when_it_is_damaged(
        self, root: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        path = tmp_path / metadata_file.METADATA
        path.write_bytes((root / metadata_file.METADATA).read_bytes()[:50_000])
        found = states(store.check(tmp_path, tmp_path / 'serving', SqliteBackend(tmp_path), say))
        assert found['problem metadata'].todo == (
            f'python pipeline_runner.py repair --root {tmp_path}'
        )
        path.unlink()
        shutil.copy(root / copies.COPY, tmp_path)
        found = states(store.check(tmp_path, tmp_path / 'serving', SqliteBackend(tmp_path), say))
        assert 'puts its copy back' in found['warning metadata'].todo

    def test_problem_is_the_services_when_a_server_goes_while_it_is_read(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = MetadataSettings(
            backend='mysql', socket=str(tmp_path / 'gone.sock'), database='d', user='u'
        )
        monkeypatch.setattr(MysqlBackend, 'server', lambda _: Server('10.11', 10))
        monkeypatch.setattr(opening, '_MAKING_SECONDS', 0)
        backend = MysqlBackend(settings, tmp_path)
        found = states(store.check(tmp_path, tmp_path / 'serving', backend, say))
        assert found['problem metadata'].error is ServiceError
        assert found['problem metadata'].told.startswith(
            f'ML Metadata cannot use {settings.where}: '
        )

    def test_folder_is_a_problem_when_it_is_a_file(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'records').touch()
        found = states(store.check(tmp_path, tmp_path / 'serving', SqliteBackend(tmp_path), say))
        assert found['problem folders'].error is ConfigError
        assert f'{tmp_path / "records"} is not a folder' in found['problem folders'].told

    def test_record_is_named_when_it_is_damaged(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'records').mkdir()
        (tmp_path / 'records' / 'a.json').write_text('{}')
        found = states(store.check(tmp_path, tmp_path / 'serving', SqliteBackend(tmp_path), say))
        assert str(tmp_path / 'records' / 'a.json') in found['warning record'].told


class TestExamples:
    @pytest.fixture
    def examples(self, workshop: Workshop, tmp_path: pathlib.Path) -> pathlib.Path:
        copy = tmp_path / 'examples'
        return shutil.copytree(workshop.newest('ExampleGen/examples'), copy)

    def test_nothing_is_wrong_when_they_are_as_written(self, examples: pathlib.Path) -> None:
        assert store.examples_damage(examples) is None

    def test_file_is_named_when_it_is_truncated_or_flipped(self, examples: pathlib.Path) -> None:
        (path,) = (examples / 'Split-test').glob('*.gz')
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        assert str(store.examples_damage(examples)).startswith(f'{path} cannot be read: ')
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 1
        path.write_bytes(flipped)
        assert str(store.examples_damage(examples)).startswith(f'{path} cannot be read: ')

    def test_split_is_named_when_examples_are_missing(self, examples: pathlib.Path) -> None:
        (path,) = (examples / 'Split-val').glob('*.gz')
        path.write_bytes(gzip.compress(b''))
        found = store.examples_damage(examples)
        assert str(found).startswith(f'{examples / "Split-val"} has 0 examples, expected ')


class TestServed:
    @pytest.fixture
    def serving(
        self, root: pathlib.Path, workshop: Workshop, tmp_path: pathlib.Path
    ) -> pathlib.Path:
        return shutil.copytree(workshop.config.serving_path, tmp_path / 'serving')

    def test_live_version_scores_when_it_is_whole(self, serving: pathlib.Path) -> None:
        (serving / '17').mkdir()
        (serving / '.abc.part').mkdir()
        found = states(served.check(serving, say))
        assert {'ok versions', 'ok files', 'ok scores'} <= set(found)
        assert found['warning version'].todo == f'rm -r {serving / "17"}'
        assert found['warning leftover'].todo == f'rm -r {serving / ".abc.part"}'

    def test_live_version_is_a_problem_when_a_bit_is_flipped(self, serving: pathlib.Path) -> None:
        live = max(serving.iterdir())
        (path,) = live.glob('variables/variables.data*')
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
        found = states(served.check(serving, say))
        assert 'are not those that its card was written for' in found['problem live model'].told
        assert found['problem live model'].todo.startswith(f'rm -r {live}: ')

    def test_live_version_is_a_problem_when_it_does_not_load(self, serving: pathlib.Path) -> None:
        live = max(serving.iterdir())
        (live / 'assets.extra' / 'model_card.md').unlink()  # so that only loading can tell
        (live / 'saved_model.pb').write_bytes(b'\xff' * 100)
        found = states(served.check(serving, say))
        assert 'does not score' in found['problem live model'].told
        assert '\n' not in found['problem live model'].told


class TestData:
    def test_labels_are_counted_when_it_is_readable(self) -> None:
        found = states(data.check(DataConfig(path=str(SAMPLE)), say))
        assert set(found) == {'ok data', 'ok rows'}
        assert 'positive' in found['ok rows'].told

    @pytest.mark.parametrize(
        ('name', 'content', 'what', 'told'),
        [
            ('a.csv', 'text,label\nfine,1\nbad,7\n', 'rows', 'expected a label of a known'),
            ('a.csv', 'text,y\nfine,1\n', 'data', "no column 'label' in a.csv"),
            ('a.csv', 'text,label\n"fine,1\n', 'rows', 'a.csv'),
            ('a.txt', 'fine', 'data', 'cannot tell the format'),
            ('a.csv', '', 'data', 'the file is empty'),
            ('a.csv', 'text,label\n,1\n,0\n', 'rows', 'none can be used'),
        ],
    )
    def test_problem_is_the_one_of_a_run_when_it_is_not(
        self, name: str, content: str, what: str, told: str, tmp_path: pathlib.Path
    ) -> None:
        (tmp_path / name).write_text(content)
        found = states(data.check(DataConfig(path=str(tmp_path / name)), say))
        assert told in found[f'problem {what}'].told
        assert found[f'problem {what}'].error is DataError

    def test_rejects_are_counted_when_rows_cannot_be_used(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / 'a.csv').write_text('text,label\nfine,1\nbad,0\n,1\n')
        found = states(data.check(DataConfig(path=str(tmp_path / 'a.csv')), say))
        assert '1 cannot be used: empty text; the first is a.csv:4' in found['warning rejects'].told


class TestInstallation:
    def test_package_is_named_when_it_is_not_as_locked(self, tmp_path: pathlib.Path) -> None:
        lock = tmp_path / 'tfx-9.9.txt'
        lock.write_text('click==0.1 \\\n    --hash=sha256:0\nno-such-package==1.0 \\\n')
        found = states(installation._packages(lock))
        told = found['problem packages'].told
        assert 'no-such-package is missing, expected 1.0' in told
        assert ', expected 0.1' in told
        assert found['problem packages'].error.exit_code == 6


class TestCommand:
    def test_exit_code_and_message_are_those_of_the_first_problem(
        self,
        tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        findings = [ok('a', 'fine'), problem('b', 'broken', 'mend it'), warning('c', 'old')]
        for module in (installation, store, served):
            monkeypatch.setattr(module, 'check', lambda *_: iter(findings))
        with pytest.raises(StoreError, match='^broken$') as found:
            examine(tmp_path, tmp_path, None, None, as_json=True)
        assert found.value.hint == 'mend it'
        told = json.loads(capfd.readouterr().out)
        assert [entry['exit_code'] for entry in told] == [0, 9, 0] * 3
        assert told[4] == {
            'area': 'store',
            'what': 'b',
            'state': 'problem',
            'told': 'broken',
            'todo': 'mend it',
            'exit_code': 9,
        }

    def test_lines_say_what_to_do_when_printed(self) -> None:
        out = io.StringIO()
        with Findings(out, sys.stderr, quiet=False) as shown:
            shown.area('store')
            shown.show(ok('metadata', 'fine'))
            shown.show(problem('b', f'{os.getcwd()}/x ' + 'is broken ' * 30, 'mend it'))
            shown.end([ok('a', ''), problem('b', '', '')])
        lines = out.getvalue().splitlines()
        assert lines[0] == 'What runs keep'
        assert lines[1].split() == ['✓', 'metadata', 'fine']
        assert lines[2].split()[:3] == ['✗', 'b', 'x']
        assert lines[3].strip() == '→ mend it'
        assert lines[-1] == '1 problem'

    def test_whole_command_says_that_all_is_well_when_nothing_was_run(
        self, tmp_path: pathlib.Path
    ) -> None:
        (tmp_path / 'a.csv').write_text('text,label\nfine,1\nbad,0\n')
        done = run_command('doctor', '--data', 'a.csv', cwd=tmp_path)
        assert done.code == 0, done.out + done.err
        assert '✓ packages' in done.out
        assert '✓ loading' in done.out
        assert [path.name for path in tmp_path.iterdir()] == ['a.csv']
