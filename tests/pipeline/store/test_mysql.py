"""A store on a MySQL server, which several roots share."""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
import shutil
import traceback
from collections.abc import Iterator

import pytest
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as extension
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib

from components.common.errors import ConfigError, StoreError
from pipeline.cloud.compile import compile_pipeline
from pipeline.doctor import run as doctor
from pipeline.doctor import store as store_checks
from pipeline.doctor.finding import Context, Finding, find_all
from pipeline.local import leftovers
from pipeline.report.collect import collect
from pipeline.report.tensorboard import find_curves
from pipeline.results import outcome as outcomes
from pipeline.settings.config import PipelineConfig, load_config
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.choice import Backend, backend_of, backend_of_root
from pipeline.store.metadata_store import open_store
from pipeline.store.mysql import MysqlBackend, known_root_id, root_id
from pipeline.store.run_ids import new_run_id
from tests.conftest import call_command, smoke_tests_in_this_process, snapshot
from tests.mariadb import PASSWORD, Server, server
from tests.pipeline.store.conftest import (
    QUICK,
    RunRoot,
    SilentObserver,
    executed,
    note_of,
    small_table,
)

pytestmark = pytest.mark.usefixtures('quick_smoke_tests')


@pytest.fixture(scope='module')
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with (
        server(tmp_path_factory.mktemp('mariadb')) as started,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv('METADATA_PASSWORD', PASSWORD)
        yield started


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp('team')
    small_table(folder / 'a.csv')
    return folder


def new_root(mariadb: Server, home: pathlib.Path, name: str, *settings: str) -> RunRoot:
    """Return the root of a person in a team that shares a store and pushed versions."""
    config: PipelineConfig = load_config(
        preset='ngram',
        flags={
            'data.path': str(home / 'a.csv'),
            'root': str(home / name),
            'serving_dir': str(home / 'served'),
            'metadata': mariadb.tree(),
        },
        settings=(*QUICK, *settings),
    )
    return RunRoot(config, prefix=name)


def find_in_store(
    backend: Backend, root: pathlib.Path, serving_dir: pathlib.Path
) -> dict[str, Finding]:
    """Return what `doctor` finds in the stored runs, by subject."""
    context = Context(root=root, serving_dir=serving_dir, backend=backend)
    return {found.subject: found for found in find_all(store_checks.CHECKS, context)}


@pytest.fixture(scope='module')
def anna(mariadb: Server, home: pathlib.Path) -> RunRoot:
    """A root on the server, with a complete run that was repeated."""
    found = new_root(mariadb, home, 'anna')
    with smoke_tests_in_this_process():
        outcome = found.run_without_error()
    # Here, because other tests change what the server has, and tests run in any order.
    found.second = found.run_without_error()
    found.first = dataclasses.replace(outcome, log=str(found.root / 'log'))
    outcomes.save_record(found.first, found.root)
    return found


def test_run_ends_as_on_sqlite_when_the_store_is_on_a_server(
    run_root: RunRoot, anna: RunRoot
) -> None:
    assert run_root.first is not None
    assert anna.first is not None
    assert anna.first.outcome == run_root.first.outcome == 'pushed'
    assert anna.first.metrics == run_root.first.metrics
    assert anna.first.thresholds == run_root.first.thresholds
    assert [n.state for n in anna.first.nodes] == [n.state for n in run_root.first.nodes]
    assert anna.second is not None
    assert executed(anna.second) == []
    assert anna.second.metrics == anna.first.metrics
    assert not list(anna.root.glob('metadata*'))


def test_commands_find_the_store_when_only_the_root_is_named(
    anna: RunRoot, mariadb: Server
) -> None:
    root = anna.root
    (folder,) = find_curves(root)
    assert folder.startswith(str(anna.config.pipeline_root / 'Trainer'))
    report = collect(outcomes.load_outcome(root), root)
    assert report.lineage is None
    assert any(node.fingerprint for node in report.nodes.values())
    backend = backend_of_root(root, None)
    assert isinstance(backend, MysqlBackend)
    found = find_in_store(backend, root, anna.config.serving_path)
    assert {finding.state for finding in found.values()} == {'ok'}
    assert f'reviews at 127.0.0.1:{mariadb.port}, ' in found['metadata'].message
    assert found['metadata'].message.endswith('; schema 10')
    assert found['artifacts'].message.startswith('11 of the latest runs')
    assert backend.repair() == []


def test_password_is_nowhere_when_runs_were_made(
    anna: RunRoot, mariadb: Server, tmp_path: pathlib.Path
) -> None:
    files = [path for path in anna.root.rglob('*') if path.is_file()]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []
    rows = mariadb.execute(
        'SELECT string_value FROM ExecutionProperty UNION SELECT string_value FROM ArtifactProperty'
        ' UNION SELECT string_value FROM ContextProperty UNION SELECT name FROM Context'
    )
    assert rows
    assert PASSWORD not in str(rows)
    shown = call_command('config', 'show', *mariadb.flags(), cwd=tmp_path)
    assert 'backend: mysql' in shown.out
    assert PASSWORD not in f'{shown}'


def test_store_is_not_part_of_a_compiled_pipeline_when_it_is_on_a_server() -> None:
    flags = {
        'data.path': 'gs://b/a.csv',
        'serving_dir': 'gs://b/s',
        'cloud.image': 'i/i:1',
        'cloud.pipeline_root': 'gs://b/r',
    }
    store = {'backend': 'mysql', 'host': 'canary', 'database': 'd', 'user': 'canary'}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('METADATA_PASSWORD', PASSWORD)
        plain, with_store = (
            compile_pipeline(load_config(preset='ngram', flags={**flags, **more}), 'vertex').job()
            for more in ({}, {'metadata': store})
        )
    assert 'canary' not in str(with_store)
    assert with_store['pipelineSpec'] == plain['pipelineSpec']


class _StopAt(SilentObserver):
    """Stops a run when a node starts."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id

    def node_started(self, index: int, total: int, node_id: str) -> None:
        if node_id == self._node_id:
            raise ConfigError('stopped by the test')


def reuse_outputs_of_another_root(anna: RunRoot, mariadb: Server, home: pathlib.Path) -> None:
    before = snapshot(anna.root)
    berta = new_root(mariadb, home, 'berta')
    outcome = berta.run_without_error()
    assert executed(outcome) == []
    assert anna.first is not None
    assert outcome.pushed == anna.first.pushed
    assert snapshot(anna.root) == before
    written = {path.name for path in berta.root.glob('manifests/sentiment/*')}
    assert written == {'Pusher'}  # which is never cached
    found = find_in_store(backend_of(berta.config), berta.root, home / 'served')
    assert found['artifacts'].message.startswith('11 of')


def damage_an_output_of_another_root(anna: RunRoot, mariadb: Server, home: pathlib.Path) -> None:
    schema = anna.newest('SchemaGen/schema') / 'schema.pbtxt'
    written = schema.read_bytes()
    schema.write_bytes(written + b'\n')
    try:
        carla = new_root(mariadb, home, 'carla')
        carla.observer = _StopAt('ExampleValidator')
        outcome, _ = carla.run()
        assert executed(outcome)[0] == 'SchemaGen'
        damage = f'{schema} has {len(written) + 1:,} bytes, was written with {len(written):,}'
        assert note_of(outcome, 'SchemaGen') == f'executed again: {damage}'
        assert schema.read_bytes() == written + b'\n'
    finally:
        schema.write_bytes(written)


def run_without_the_root_that_pushed(anna: RunRoot, mariadb: Server, home: pathlib.Path) -> None:
    away = shutil.move(anna.root, home / 'away')
    try:
        dora = new_root(mariadb, home, 'dora', 'trainer.model.svm_cost=0.5')
        outcome = dora.run_without_error()
        assert 'another root, which cannot be reached' in note_of(outcome, 'ExampleGen')
        assert anna.first is not None
        of_model = {**anna.first.metrics}
        del of_model['test_overlap_percent']
        assert outcome.baseline == pytest.approx(of_model)
    finally:
        shutil.move(away, anna.root)


def test_roots_share_outputs_and_baseline_when_they_share_a_store(
    anna: RunRoot, mariadb: Server, home: pathlib.Path
) -> None:
    """One test, because each step changes the store or what is served."""
    reuse_outputs_of_another_root(anna, mariadb, home)
    damage_an_output_of_another_root(anna, mariadb, home)
    run_without_the_root_that_pushed(anna, mariadb, home)


class TestOwnership:
    """Which root an entry in the store belongs to; no run is needed for that."""

    def register_execution(self, backend: MysqlBackend, name: str) -> int:
        """Register an execution that never ends."""
        with metadata.Metadata(backend.connection()) as handle:
            pairs = [('pipeline', name), tuple(backend.own_context(name))]
            contexts = [context_lib.register_context_if_not_exists(handle, *p) for p in pairs]
            kind = metadata_store_pb2.ExecutionType(name='Trainer')
            return int(execution_publish_utils.register_execution(handle, kind, contexts).id)

    def test_only_own_executions_are_cancelled_when_another_root_has_active_ones(
        self, anna: RunRoot, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        ours, theirs = (MysqlBackend(mariadb.settings(), tmp_path / name) for name in ('a', 'b'))
        dead = self.register_execution(ours, 'spam')
        alive = self.register_execution(theirs, 'spam')
        of_other_name = self.register_execution(ours, 'other')
        store = open_store(ours.connection())
        assert ours.own_executions(store) == {dead, of_other_name}
        assert leftovers.clear(ours, tmp_path / 'a' / 'artifacts' / 'spam', 'spam') == 1
        states = {e.id: e.last_known_state for e in store.get_executions()}
        assert states[dead] == metadata_store_pb2.Execution.CANCELED
        assert states[alive] == states[of_other_name] == metadata_store_pb2.Execution.RUNNING
        assert leftovers.clear(theirs, tmp_path / 'b' / 'artifacts' / 'spam', 'spam') == 1

    def test_run_ids_differ_when_two_roots_start_a_run_at_once(
        self, anna: RunRoot, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        ids = []
        for name in ('a', 'b'):
            backend = MysqlBackend(mariadb.settings(), tmp_path / name)
            ids.append(new_run_id(tmp_path, lambda i, b=backend: b.claim(f'now{i[19:]}')))
        assert [run_id[19:] for run_id in ids] == ['', '-2']

    def test_root_id_stays_when_the_root_is_moved_and_changes_when_it_is_copied(
        self, tmp_path: pathlib.Path
    ) -> None:
        root = tmp_path / 'root'
        assert known_root_id(root) is None
        first = root_id(root)
        assert root_id(root) == known_root_id(root) == first
        copy = shutil.copytree(root, tmp_path / 'copy')
        assert known_root_id(copy) is None
        assert root_id(copy) not in (first, None)
        assert root_id(copy) == known_root_id(copy)
        assert known_root_id(pathlib.Path(shutil.move(root, tmp_path / 'moved'))) == first


class TestSchema:
    """Databases that are empty, have another version, or are not those of the root."""

    def new_backend(self, mariadb: Server, root: pathlib.Path, database: str) -> MysqlBackend:
        mariadb.new_database(database)
        return MysqlBackend(mariadb.settings(database=database), root)

    def test_nothing_is_changed_when_doctor_checks_an_empty_database(
        self, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        backend = self.new_backend(mariadb, tmp_path / 'none', 'reviews_empty')
        found = find_in_store(backend, tmp_path / 'none', tmp_path / 's')
        assert found['metadata'].message.endswith('; a run creates the tables')
        assert backend.repair() == []
        assert backend.reader() is None
        assert mariadb.execute('SHOW TABLES', 'reviews_empty') == []
        assert list(tmp_path.iterdir()) == []
        backend.require_usable()
        assert ['MLMDEnv'] in mariadb.execute('SHOW TABLES', 'reviews_empty')

    def test_command_upgrades_the_schema_when_it_is_older(
        self, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        backend = self.new_backend(mariadb, tmp_path, 'reviews_old')
        backend.require_usable()
        options = metadata_store_pb2.MigrationOptions()
        options.downgrade_to_schema_version = 8
        with pytest.raises(RuntimeError, match='Now the database is at schema version 8'):
            extension.CreateMetadataStore(
                backend.connection().SerializeToString(), options.SerializeToString()
            )
        with pytest.raises(StoreError, match='older .*: expected schema 10, got 8$') as found:
            backend.require_usable()
        _, _, command = found.value.hint.partition('pipeline_runner.py ')
        done = call_command(*shlex.split(command), cwd=tmp_path)
        assert done.out == f'{backend.where} was upgraded to schema 10\n'
        assert done.code == 0
        backend.require_usable()

    def test_store_is_refused_when_its_schema_is_newer(
        self, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        backend = self.new_backend(mariadb, tmp_path, 'reviews_new')
        backend.require_usable()
        mariadb.execute('UPDATE MLMDEnv SET schema_version = 11', 'reviews_new')
        for function in (backend.require_usable, backend.repair, backend.reader):
            with pytest.raises(StoreError, match='newer .*: expected schema 10, got 11') as found:
                function()
            assert found.value.exit_code == 9

    def test_root_is_refused_when_the_store_does_not_know_its_artifacts(
        self, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        backend = self.new_backend(mariadb, tmp_path, 'reviews_lost')
        backend.require_usable()
        assert backend.open_for_run() == ''
        (tmp_path / 'artifacts' / 'x' / 'Trainer' / 'model' / '5').mkdir(parents=True)
        with pytest.raises(StoreError, match='artifacts of execution 5 .* is 0: ') as found:
            backend.open_for_run()
        assert 'pass a new --root' in found.value.hint


class TestPassword:
    @pytest.mark.parametrize('command', ['run', 'doctor', 'repair'])
    def test_command_prints_one_error_when_the_password_is_wrong(
        self, mariadb: Server, command: str, tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch, home: pathlib.Path,
    ) -> None:  # fmt: skip
        monkeypatch.setenv('METADATA_PASSWORD', 'canary-of-another')
        data = ['--data', str(home / 'a.csv')] if command == 'run' else []
        # What is installed is not of interest, and takes 5 s.
        monkeypatch.delitem(doctor.AREAS, 'installation')
        done = call_command(command, *data, *mariadb.flags(), cwd=tmp_path)
        assert done.code == 7
        (error,) = [line for line in done.err.splitlines() if line.startswith('error: ')]
        assert 'Access denied' in error
        assert 'METADATA_PASSWORD' in error
        assert 'canary' not in done.out + done.err
        if command != 'doctor':
            assert done.err.splitlines() == [error]
            assert done.out == ''

    def test_password_is_read_from_a_file_when_settings_name_one(
        self, mariadb: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv('METADATA_PASSWORD')
        path = tmp_path / 'secret'
        path.write_text(f'{PASSWORD}\n')
        backend = MysqlBackend(mariadb.settings(password_file=str(path)), tmp_path)
        assert backend.repair() == []
        path.unlink()
        with pytest.raises(ConfigError, match=f'of metadata from {path}: No such file'):
            backend.repair()

    def test_variable_is_named_when_the_password_is_not_utf8(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv('METADATA_PASSWORD', 'canary\udce9')
        settings = MetadataSettings(backend='mysql', host='db', database='d', user='u')
        with pytest.raises(ConfigError, match=r'from METADATA_PASSWORD: it is not UTF-8') as found:
            MysqlBackend(settings, tmp_path).require_usable()
        assert 'canary' not in ''.join(traceback.format_exception(found.value))
