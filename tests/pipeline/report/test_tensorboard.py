"""Which curves TensorBoard is given; that it shows them is tested end to end."""

from __future__ import annotations

import pathlib
import shutil
import socket

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.common.errors import ConfigError, DataError, StoreError
from pipeline.report.tensorboard import Curves, find_curves, serve
from pipeline.results.outcome import RunOutcome, save_record


class Root:
    """A root with runs as they are recorded, of which only the Trainer's part is there."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(path / 'metadata.sqlite')
        config.sqlite.connection_mode = (
            metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        self._store = metadata_store.MetadataStore(config)
        self._artifacts: dict[str, int] = {}

    def add(self, run_id: str, logs: str | None, *, name: str = 'sentiment') -> None:
        """Add a run whose Trainer made, or took from the cache, the folder `logs`."""
        preset = {'preset': 'tutorial'}
        save_record(
            RunOutcome(run_id=run_id, outcome='failed', name=name, data='data', config=preset),
            self.path,
        )
        if logs is not None:
            self._execute(run_id, name, logs)

    def folder(self, logs: str) -> str:
        return str(self.path / 'artifacts' / logs)

    def _execute(self, run_id: str, name: str, logs: str) -> None:
        store, pb = self._store, metadata_store_pb2
        types = {
            kind: store.put_context_type(pb.ContextType(name=kind))
            for kind in ('pipeline_run', 'node')
        }
        trainer = store.put_execution_type(pb.ExecutionType(name='Trainer'))
        of_model = store.put_artifact_type(pb.ArtifactType(name='Model'))
        pathlib.Path(self.folder(logs)).mkdir(parents=True, exist_ok=True)
        if logs not in self._artifacts:
            artifact = pb.Artifact(type_id=of_model, uri=self.folder(logs))
            (self._artifacts[logs],) = store.put_artifacts([artifact])
        outputs = [(self._artifacts[logs], pb.Event.OUTPUT, 'model_run')]
        model = pb.Artifact(type_id=of_model, uri='model')
        outputs.append((store.put_artifacts([model])[0], pb.Event.OUTPUT, 'model'))
        warm_start = pb.Artifact(type_id=of_model, uri='not-an-output')
        outputs.append((store.put_artifacts([warm_start])[0], pb.Event.INPUT, 'model_run'))
        (execution,) = store.put_executions([pb.Execution(type_id=trainer)])
        for artifact_id, kind, key in outputs:
            event = pb.Event(artifact_id=artifact_id, execution_id=execution, type=kind)
            event.path.steps.add().key = key
            store.put_events([event])
        for kind, called in (('pipeline_run', run_id), ('node', f'{name}.Trainer')):
            context = store.get_context_by_type_and_name(kind, called)
            id_ = (
                context.id
                if context
                else store.put_contexts([pb.Context(type_id=types[kind], name=called)])[0]
            )
            store.put_attributions_and_associations(
                [], [pb.Association(context_id=id_, execution_id=execution)]
            )


@pytest.fixture
def root(tmp_path: pathlib.Path) -> Root:
    return Root(tmp_path)


def test_curves_are_those_of_the_first_run_when_later_ones_took_the_model_from_the_cache(
    root: Root,
) -> None:
    for run_id, logs in (('1', 'a'), ('2', 'a'), ('3', None), ('4', 'b'), ('5', 'a')):
        root.add(run_id, logs)
    assert find_curves(root.path) == [
        Curves(label='1 tutorial', folder=root.folder('a'), reused_by=('2', '5')),
        Curves(label='4 tutorial', folder=root.folder('b'), reused_by=()),
    ]


def test_pipelines_are_told_apart_when_there_are_several_names(root: Root) -> None:
    root.add('1', 'a')
    root.add('2', 'b', name='spam')
    assert [shown.label for shown in find_curves(root.path)] == [
        'sentiment 1 tutorial',
        'spam 2 tutorial',
    ]
    assert [shown.label for shown in find_curves(root.path, 'spam')] == ['2 tutorial']


def test_it_says_so_when_no_run_has_trained(root: Root, tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='no run below .* has trained a model'):
        find_curves(tmp_path / 'nowhere')
    root.add('1', None)
    root.add('2', 'a')
    shutil.rmtree(root.folder('a'))
    with pytest.raises(DataError, match='no run of sentiment below .* has trained a model'):
        find_curves(root.path, 'sentiment')


def test_it_says_so_when_the_store_is_damaged(root: Root) -> None:
    root.add('1', 'a')
    (root.path / 'metadata.sqlite').write_bytes(b'not a database at all ' * 500)
    with pytest.raises(StoreError, match=r'metadata\.sqlite is damaged') as found:
        find_curves(root.path)
    assert found.value.hint == f'python pipeline_runner.py repair --root {root.path}'


def test_port_is_refused_when_it_is_in_use(tmp_path: pathlib.Path) -> None:
    curves = [Curves(label='1', folder=str(tmp_path), reused_by=())]
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f'port {port}.* in use') as caught:
            serve(curves, port)
    assert '--port' in caught.value.hint


def test_folder_is_refused_when_tensorboard_would_take_it_for_two() -> None:
    with pytest.raises(ConfigError, match=r'no folder with a comma in its path: /runs/a,b'):
        serve([Curves(label='1', folder='/runs/a,b', reused_by=())], 0)
