"""A store on a MySQL server, which several roots share."""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
import shutil
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as extension
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib

from components.common.errors import ConfigError, StoreError
from components.served_baseline.baseline import BaselineChangedError
from pipeline.cloud.compile import compile_pipeline
from pipeline.doctor import store as store_checks
from pipeline.doctor.finding import Context, Finding
from pipeline.local import leftovers
from pipeline.report.collect import collect
from pipeline.report.tensorboard import find_curves
from pipeline.results import outcome as outcomes
from pipeline.settings.config import PipelineConfig, load_config
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.backend import Backend
from pipeline.store.choice import backend_of, backend_of_root, backend_of_run
from pipeline.store.metadata_store import open_store, sqlite_config
from pipeline.store.mysql import MysqlBackend
from pipeline.store.root_id import known_root_id, root_id
from pipeline.store.run_ids import new_run_id
from tests.conftest import run_command, snapshot
from tests.mariadb import DATABASE, PASSWORD, Server, server
from tests.pipeline.store.conftest import Silent, Workshop, executed, note_of, small_table


@pytest.fixture(scope='module')
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with (
        server(tmp_path_factory.mktemp('mariadb')) as started,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv('METADATA_PASSWORD', PASSWORD)
        yield started


def settings_of(
    mariadb: Server, home: pathlib.Path, root: str, *more: str, database: str = DATABASE
) -> PipelineConfig:
    """Return the settings of a team: one store, one folder of versions, a root each."""
    return load_config(
        preset='ngram',
        flags={
            'data.path': str(home / 'a.csv'),
            'root': str(home / root),
            'serving_dir': str(home / 'served'),
            'metadata': mariadb.tree(database),
        },
        settings=('gate.min_accuracy=0.6', 'gate.max_accuracy_drop=0.3', *more),
    )


def findings_of(backend: Backend, root: pathlib.Path, serving_dir: pathlib.Path) -> list[Finding]:
    context = Context(root=root, serving_dir=serving_dir, backend=backend)
    return [finding for check in store_checks.CHECKS for finding in check(context)]


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp('team')
    small_table(folder / 'a.csv')
    return folder


@pytest.fixture(scope='module')
def anna(mariadb: Server, home: pathlib.Path) -> Workshop:
    """A root on the server, with a complete run that was repeated."""
    found = Workshop(settings_of(mariadb, home, 'anna'), prefix='anna')
    outcome, error = found.run()
    assert error is None
    # Here, because other tests change what the server has, and tests run in any order.
    found.second, error = found.run()
    assert error is None
    found.first = dataclasses.replace(outcome, log=str(found.root / 'log'))
    outcomes.save_record(found.first, found.root)
    return found


def test_run_ends_as_on_sqlite_when_the_store_is_on_a_server(
    workshop: Workshop, anna: Workshop
) -> None:
    assert workshop.first is not None
    assert anna.first is not None
    assert anna.first.outcome == workshop.first.outcome == 'pushed'
    assert anna.first.metrics == workshop.first.metrics
    assert anna.first.thresholds == workshop.first.thresholds
    assert [n.state for n in anna.first.nodes] == [n.state for n in workshop.first.nodes]
    assert anna.second is not None
    assert executed(anna.second) == []
    assert anna.second.metrics == anna.first.metrics
    assert not list(anna.root.glob('metadata*'))


def test_commands_find_the_store_when_only_the_root_is_named(
    anna: Workshop, mariadb: Server
) -> None:
    root = anna.root
    assert anna.first is not None
    (folder,) = find_curves(root)
    assert folder.startswith(str(anna.config.pipeline_root / 'Trainer'))
    report = collect(outcomes.load_outcome(root), root)
    assert report.lineage is None
    assert any(node.fingerprint for node in report.nodes.values())
    backend = backend_of_root(root, None)
    assert isinstance(backend, MysqlBackend)
    found = findings_of(backend, root, anna.config.serving_path)
    assert [(f.subject, f.message) for f in found if f.state != 'ok'] == []
    told = {f.subject: f.message for f in found}
    assert f'reviews at 127.0.0.1:{mariadb.port}, ' in told['metadata']
    assert told['metadata'].endswith('; schema 10')
    assert told['artifacts'].startswith('11 of the latest runs')
    assert backend.repair() == []


def test_password_is_nowhere_when_runs_were_made(
    anna: Workshop, mariadb: Server, tmp_path: pathlib.Path
) -> None:
    kept = [p for p in anna.root.rglob('*') if p.is_file() and PASSWORD.encode() in p.read_bytes()]
    assert kept == []
    rows = mariadb.execute(
        'SELECT string_value FROM ExecutionProperty UNION SELECT string_value FROM ArtifactProperty'
        ' UNION SELECT string_value FROM ContextProperty UNION SELECT name FROM Context'
    )
    assert rows
    assert PASSWORD not in str(rows)
    shown = run_command('config', 'show', *mariadb.flags(), cwd=tmp_path)
    assert 'backend: mysql' in shown.out
    assert PASSWORD not in f'{shown}'


def test_store_is_not_part_of_a_compiled_pipeline_when_it_is_on_a_server() -> None:
    flags = {
        'data.path': 'gs://b/a.csv',
        'serving_dir': 'gs://b/s',
        'cloud.image': 'i/i:1',
        'cloud.pipeline_root': 'gs://b/r',
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('METADATA_PASSWORD', PASSWORD)
        plain, with_store = (
            compile_pipeline(load_config(preset='ngram', flags={**flags, **store}), 'vertex').job()
            for store in ({}, {'metadata': {'backend': 'mysql', 'host': 'canary', 'database': 'd',
                                            'user': 'canary'}})
        )  # fmt: skip
    assert 'canary' not in str(with_store)
    assert with_store['pipelineSpec'] == plain['pipelineSpec']


class _Stops(Silent):
    """Stops a run where a node begins."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id

    def node_started(self, index: int, total: int, node_id: str) -> None:
        if node_id == self._node_id:
            raise ConfigError('that is enough')


class _Meanwhile(Silent):
    """Has another run go from its beginning to its end, where the Pusher of one begins."""

    def __init__(self, other: Workshop) -> None:
        self._other = other
        self.came: Any = None

    def node_started(self, index: int, total: int, node_id: str) -> None:
        if node_id == 'Pusher':
            self.came = self._other.run()


def reuse_outputs_of_another_root(anna: Workshop, mariadb: Server, home: pathlib.Path) -> None:
    before = snapshot(anna.root)
    berta = Workshop(settings_of(mariadb, home, 'berta'), prefix='berta')
    outcome, error = berta.run()
    assert error is None
    assert executed(outcome) == []
    assert anna.first is not None
    assert outcome.pushed == anna.first.pushed
    assert snapshot(anna.root) == before
    written = {path.name for path in berta.root.glob('manifests/sentiment/*')}
    assert written == {'Pusher'}  # which is never cached
    backend = backend_of(berta.config)
    found = findings_of(backend, berta.root, home / 'served')
    assert {f.subject: f.message for f in found}['artifacts'].startswith('11 of')


def damage_an_output_of_another_root(anna: Workshop, mariadb: Server, home: pathlib.Path) -> None:
    schema = anna.newest('SchemaGen/schema') / 'schema.pbtxt'
    written = schema.read_bytes()
    schema.write_bytes(written + b'\n')
    try:
        carla = Workshop(settings_of(mariadb, home, 'carla'), prefix='carla')
        carla.observer = _Stops('ExampleValidator')
        outcome, _ = carla.run()
        assert executed(outcome)[0] == 'SchemaGen'
        told = f'{schema} has {len(written) + 1:,} bytes, was written with {len(written):,}'
        assert note_of(outcome, 'SchemaGen') == f'made again: {told}'
        assert schema.read_bytes() == written + b'\n'
    finally:
        schema.write_bytes(written)


def run_without_the_root_that_pushed(anna: Workshop, mariadb: Server, home: pathlib.Path) -> None:
    away = shutil.move(anna.root, home / 'away')
    try:
        dora = Workshop(
            settings_of(mariadb, home, 'dora', 'trainer.model.svm_cost=0.5'), prefix='dora'
        )
        outcome, error = dora.run()
        assert error is None
        assert 'another root, which cannot be reached' in note_of(outcome, 'ExampleGen')
        assert outcome.baseline is not None
        assert anna.first is not None
        assert outcome.baseline == pytest.approx(anna.first.metrics)
    finally:
        shutil.move(away, anna.root)


def push_from_another_root_meanwhile(mariadb: Server, home: pathlib.Path) -> None:
    emil = Workshop(settings_of(mariadb, home, 'emil', 'trainer.model.svm_cost=0.2'), prefix='emil')
    other_settings = settings_of(mariadb, home, 'frida', 'trainer.model.svm_cost=0.1')
    other = Workshop(other_settings, prefix='frida')
    emil.observer = meanwhile = _Meanwhile(other)
    outcome, error = emil.run()
    theirs, their_error = meanwhile.came
    assert their_error is None
    assert theirs.outcome == 'pushed'
    assert isinstance(error, BaselineChangedError)
    assert f'is now {theirs.pushed.version}' in str(error)
    assert outcome.pushed is None
    assert sorted(p.name for p in (home / 'served').glob('[0-9]*'))[-1] == theirs.pushed.version
    emil.observer = Silent()
    outcome, error = emil.run()  # what the hint says
    assert error is None
    assert outcome.baseline is not None
    assert outcome.baseline['binary_accuracy'] == theirs.metrics['binary_accuracy']


def test_roots_share_outputs_and_baseline(
    anna: Workshop, mariadb: Server, home: pathlib.Path
) -> None:
    """One test, because each step changes the store or what is served."""
    reuse_outputs_of_another_root(anna, mariadb, home)
    damage_an_output_of_another_root(anna, mariadb, home)
    run_without_the_root_that_pushed(anna, mariadb, home)
    push_from_another_root_meanwhile(mariadb, home)


class TestOwnership:
    """What is whose in the store; no run is needed for that."""

    def backend(self, mariadb: Server, root: pathlib.Path) -> MysqlBackend:
        return MysqlBackend(mariadb.settings(), root)

    def begin(self, backend: MysqlBackend, name: str) -> int:
        """Register an execution that never ends."""
        with metadata.Metadata(backend.connection()) as handle:
            pairs = [('pipeline', name), tuple(backend.own_context(name))]
            contexts = [context_lib.register_context_if_not_exists(handle, *p) for p in pairs]
            kind = metadata_store_pb2.ExecutionType(name='Trainer')
            return int(execution_publish_utils.register_execution(handle, kind, contexts).id)

    def test_only_own_executions_are_called_off_when_others_go_on(
        self, anna: Workshop, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        ours, theirs = (self.backend(mariadb, tmp_path / name) for name in ('a', 'b'))
        dead, alive, of_other_name = (
            self.begin(ours, 'spam'), self.begin(theirs, 'spam'), self.begin(ours, 'other'),
        )  # fmt: skip
        store = open_store(ours.connection())
        assert ours.own_executions(store) == {dead, of_other_name}
        assert leftovers.clear(ours, tmp_path / 'a' / 'artifacts' / 'spam', 'spam') == 1
        states = {e.id: e.last_known_state for e in store.get_executions()}
        assert states[dead] == metadata_store_pb2.Execution.CANCELED
        assert states[alive] == states[of_other_name] == metadata_store_pb2.Execution.RUNNING
        assert leftovers.clear(theirs, tmp_path / 'b' / 'artifacts' / 'spam', 'spam') == 1

    def test_names_of_runs_differ_when_two_roots_begin_at_once(
        self, anna: Workshop, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        names = []
        for name in ('a', 'b'):
            backend = self.backend(mariadb, tmp_path / name)
            backend.claim(f'taken-{name}')
            names.append(new_run_id(tmp_path, lambda i, b=backend: b.claim(f'now{i[19:]}')))
        assert not names[0].endswith('-2')
        assert names[1].endswith('-2')

    def test_id_stays_when_a_root_is_moved_and_not_when_it_is_copied(
        self, tmp_path: pathlib.Path
    ) -> None:
        root = tmp_path / 'root'
        assert known_root_id(root) is None
        made = root_id(root)
        assert root_id(root) == known_root_id(root) == made
        copy = shutil.copytree(root, tmp_path / 'copy')
        assert known_root_id(copy) is None
        assert root_id(copy) not in (made, None)
        assert root_id(copy) == known_root_id(copy)
        assert known_root_id(pathlib.Path(shutil.move(root, tmp_path / 'moved'))) == made
        assert [p.name for p in copy.iterdir()] == ['root.id']


class TestSchema:
    """Databases that are empty, of another version, or not those of the root."""

    def test_nothing_is_changed_when_doctor_looks_at_an_empty_database(
        self, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        mariadb.new_database('reviews_empty')
        backend = MysqlBackend(mariadb.settings(database='reviews_empty'), tmp_path / 'none')
        found = findings_of(backend, tmp_path / 'none', tmp_path / 's')
        assert found[-1].message.endswith('; a run creates the tables')
        assert backend.repair() == []
        assert backend.reader() is None
        assert mariadb.execute('SHOW TABLES', 'reviews_empty') == []
        assert list(tmp_path.iterdir()) == []
        backend.require_usable()
        assert ['MLMDEnv'] in mariadb.execute('SHOW TABLES', 'reviews_empty')

    def test_command_upgrades_the_schema_when_it_is_older(
        self, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        mariadb.new_database('reviews_old')
        backend = MysqlBackend(mariadb.settings(database='reviews_old'), tmp_path)
        backend.require_usable()
        options = metadata_store_pb2.MigrationOptions()
        options.downgrade_to_schema_version = 8
        with pytest.raises(RuntimeError, match='Now the database is at schema version 8'):
            extension.CreateMetadataStore(
                backend.connection().SerializeToString(), options.SerializeToString()
            )
        with pytest.raises(StoreError, match='older ML Metadata: its schema is 8$') as found:
            backend.require_usable()
        _, _, command = found.value.hint.partition('pipeline_runner.py ')
        done = run_command(*shlex.split(command), cwd=tmp_path)
        assert done.out == f'{backend.where} was upgraded from schema 8 to 10\n'
        assert done.code == 0
        backend.require_usable()

    def test_store_is_refused_when_its_schema_is_newer(
        self, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        mariadb.new_database('reviews_new')
        backend = MysqlBackend(mariadb.settings(database='reviews_new'), tmp_path)
        backend.require_usable()
        mariadb.execute('UPDATE MLMDEnv SET schema_version = 11', 'reviews_new')
        for refuses in (backend.require_usable, backend.repair, backend.reader):
            with pytest.raises(StoreError, match='newer ML Metadata: its schema is 11, 10') as told:
                refuses()
            assert told.value.exit_code == 9

    def test_root_is_refused_when_the_store_does_not_know_its_artifacts(
        self, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        mariadb.new_database('reviews_lost')
        backend = MysqlBackend(mariadb.settings(database='reviews_lost'), tmp_path)
        backend.require_usable()
        assert backend.open_for_run() == ''
        (tmp_path / 'artifacts' / 'x' / 'Trainer' / 'model' / '5').mkdir(parents=True)
        with pytest.raises(StoreError, match=r'of execution 5, .* has only come to 0: ') as found:
            backend.open_for_run()
        assert 'pass a new --root' in found.value.hint

    def test_root_is_refused_when_its_runs_are_in_a_file(
        self, workshop: Workshop, mariadb: Server, tmp_path: pathlib.Path
    ) -> None:
        mariadb.new_database('reviews_moved')
        backend = MysqlBackend(mariadb.settings(database='reviews_moved'), tmp_path)
        backend.require_usable()
        # That the ids of others have come further does not make them those of the root.
        mariadb.execute('INSERT INTO Execution (id, type_id) VALUES (1000, 1)', 'reviews_moved')
        (tmp_path / 'artifacts' / 'x' / 'Trainer' / 'model' / '5').mkdir(parents=True)
        open_store(sqlite_config(tmp_path / 'metadata.sqlite'))
        assert backend.open_for_run() == ''  # it has no runs
        shutil.copy(workshop.root / 'metadata.sqlite', tmp_path)
        told = r'recorded in .*/metadata\.sqlite, and the MySQL database .* knows none of them'
        with pytest.raises(StoreError, match=told) as found:
            backend.open_for_run()
        assert 'pass a new --root' in found.value.hint
        with metadata.Metadata(backend.connection()) as handle:
            context_lib.register_context_if_not_exists(handle, *backend.own_context('x'))
        assert backend.open_for_run() == ''  # it was begun there


class TestCommand:
    """What a person sees who cannot use the store."""

    @pytest.mark.parametrize('command', ['run', 'doctor', 'repair'])
    def test_one_line_says_it_when_the_password_is_wrong(
        self, mariadb: Server, command: str, tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch, home: pathlib.Path,
    ) -> None:  # fmt: skip
        monkeypatch.setenv('METADATA_PASSWORD', 'canary-of-another')
        data = ['--data', str(home / 'a.csv')] if command == 'run' else []
        done = run_command(command, *data, *mariadb.flags(), cwd=tmp_path)
        assert done.code == 7
        errors = [line for line in done.err.splitlines() if line.startswith('error: ')]
        assert len(errors) == 1
        assert 'Access denied' in errors[0]
        assert 'METADATA_PASSWORD' in errors[0]
        assert 'canary' not in done.out + done.err
        if command != 'doctor':
            assert done.err.splitlines() == errors
            assert done.out == ''

    def test_password_is_read_from_a_file_when_settings_name_one(
        self, mariadb: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv('METADATA_PASSWORD')
        (tmp_path / 'secret').write_text(f'{PASSWORD}\n')
        flags = mariadb.flags(password_file=str(tmp_path / 'secret'))
        done = run_command('repair', *flags, cwd=tmp_path)
        assert done.code == 0
        assert 'needs no repair' in done.out
        done = run_command('repair', *mariadb.flags(password_file='gone'), cwd=tmp_path)
        assert done.code == 2
        gone = tmp_path / 'gone'
        assert f'cannot read the password of metadata from {gone}: No such file' in done.err


@pytest.mark.parametrize(
    ('tree', 'told'),
    [
        ({'host': 'db'}, 'host is for the backend mysql'),
        ({'backend': 'mysql'}, 'needs host or socket, and not both'),
        ({'backend': 'mysql', 'host': 'db', 'socket': '/s'}, 'needs host or socket, and not both'),
        ({'backend': 'mysql', 'host': 'db', 'user': 'u'}, 'needs database'),
        ({'backend': 'mysql', 'host': 'db', 'database': 'd'}, 'needs user'),
        ({'backend': 'mysql', 'host': 'a b'}, 'name or address of a machine'),
        ({'backend': 'mysql', 'host': 'db..example.com'}, 'host: expected 1 to 63 characters'),
        ({'backend': 'mysql', 'host': '..'}, 'host: expected 1 to 63 characters'),
        ({'backend': 'mysql', 'host': f'{"a" * 64}.com'}, 'host: expected 1 to 63 characters'),
        ({'backend': 'mysql', 'host': 'u:canary@db'}, 'without a user or password'),
        ({'backend': 'mysql', 'host': 'db', 'database': 'd; DROP TABLE x'}, 'metadata.database'),
        ({'backend': 'mysql', 'host': 'db', 'port': 0}, 'metadata.port'),
        ({'tls': {'cert': 'c'}}, 'cert and key go together'),
        ({'tls': {'cert': 'c', 'key': 'k'}}, 'ca is given'),
        ({'password': 'canary'}, "no setting 'metadata.password'"),
        ({'backend': 'mysql', 'socket': '/s', 'database': 'd', 'user': 'u', 'tls': {'ca': 'c'}},
         'tls is for a host'),
    ],
)  # fmt: skip
def test_settings_are_refused_when_they_do_not_make_a_store(
    tree: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as found:
        load_config(preset='ngram', flags={'data.path': 'a.csv', 'metadata': tree})
    assert 'canary' not in f'{found.value} {found.value.hint}'


@pytest.mark.parametrize('name', ['db.example.com', 'db.example.com.', '::1', '10.0.0.1', 'a' * 63])
def test_host_is_taken_when_it_is_a_name_or_an_address(name: str) -> None:
    settings = MetadataSettings(backend='mysql', host=name, database='d', user='u')
    assert settings.host == name


def test_variable_is_named_when_the_password_is_not_utf8(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('METADATA_PASSWORD', 'canary\udce9')
    settings = MetadataSettings(backend='mysql', host='db', database='d', user='u')
    with pytest.raises(ConfigError, match=r'^the password in METADATA_PASSWORD is not') as found:
        MysqlBackend(settings, tmp_path).require_usable()
    assert 'canary' not in ''.join(traceback.format_exception(found.value))


@pytest.mark.parametrize(
    'tree',
    [
        {'database': '2024_10', 'user': 'no'},
        {'database': '1', 'user': 'a: #b'},
        {'database': 'd', 'user': "it's \u00e9", 'port': 3307, 'password_file': '/a b/~'},
        {'database': 'd', 'user': 'u', 'tls': {'ca': '/c a', 'cert': '/1', 'key': '/null'}},
    ],
)
def test_options_say_the_same_when_a_command_is_given_them(tree: dict[str, Any]) -> None:
    settings = MetadataSettings(backend='mysql', host='db', **tree)
    flags = shlex.split(settings.flags())
    assert set(flags[::2]) == {'--set'}
    config = load_config(preset='ngram', flags={'data.path': 'a.csv'}, settings=flags[1::2])
    assert config.metadata == settings


def test_files_are_found_from_anywhere_when_a_run_was_recorded(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tree = {
        'backend': 'mysql', 'host': 'db', 'database': 'd', 'user': 'u',
        'password_file': 'pw', 'tls': {'ca': 'ca.pem', 'cert': 'me.pem', 'key': 'keys/me'},
    }  # fmt: skip
    config = load_config(preset='ngram', flags={'data.path': 'a.csv', 'metadata': tree})
    (tmp_path / 'pw').write_text('canary')
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    backend = backend_of_run(config.model_dump(), tmp_path / 'root')
    mysql = backend.connection().mysql
    assert mysql.password == 'canary'
    assert mysql.ssl_options.ca == str(tmp_path / 'ca.pem')
    assert mysql.ssl_options.cert == str(tmp_path / 'me.pem')
    assert mysql.ssl_options.key == str(tmp_path / 'keys' / 'me')
    of_socket = MetadataSettings(backend='mysql', socket='s', database='d', user='u')
    assert of_socket.socket == str(tmp_path / 'elsewhere' / 's')
