"""Tests of the selection of learning curves for TensorBoard."""

from __future__ import annotations

import pathlib
import shutil
import socket

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.common.errors import ConfigError, DataError, StoreError
from pipeline.report import tensorboard
from pipeline.report.tensorboard import find_curves, serve
from pipeline.report.view import Artifact, RecordedNode
from pipeline.results.outcome import RunOutcome, save_record


class Root:
    """A root folder with records of runs and the log folders of their Trainers."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.logs: dict[str, str] = {}
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(path / 'metadata.sqlite')
        config.sqlite.connection_mode = config.sqlite.READWRITE_OPENCREATE
        metadata_store.MetadataStore(config)

    def add(self, run_id: str, logs: str | None, *, name: str = 'sentiment') -> None:
        """Add a run whose Trainer wrote the folder `logs`, or reused it from the cache."""
        config = {'preset': 'tutorial'}
        record = RunOutcome(run_id=run_id, outcome='failed', name=name, data='data', config=config)
        save_record(record, self.path)
        if logs is not None:
            self.logs[run_id] = self.folder(logs)
            pathlib.Path(self.folder(logs)).mkdir(parents=True, exist_ok=True)

    def folder(self, logs: str) -> str:
        return str(self.path / 'artifacts' / logs)

    def nodes(self, run_id: str) -> dict[str, RecordedNode]:
        """Return the nodes of a run, as `Lineage` does."""
        if run_id not in self.logs:
            return {}
        logs = Artifact(id=1, key='model_run', uri=self.logs[run_id])
        return {'Trainer': RecordedNode(inputs=(), outputs=(logs,), fingerprint='')}


@pytest.fixture
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    root = Root(tmp_path)
    monkeypatch.setattr(tensorboard, 'Lineage', lambda config: root)
    return root


def test_label_names_the_first_run_when_later_runs_reuse_its_model(root: Root) -> None:
    for run_id, logs in (('1', 'a'), ('2', 'a'), ('3', None), ('4', 'b'), ('5', 'a')):
        root.add(run_id, logs)
    root.add('6', 'c', name='spam')
    assert find_curves(root.path) == {
        root.folder('a'): 'sentiment 1 tutorial',
        root.folder('b'): 'sentiment 4 tutorial',
        root.folder('c'): 'spam 6 tutorial',
    }
    assert find_curves(root.path, 'spam') == {root.folder('c'): '6 tutorial'}


def test_error_is_raised_when_no_run_has_trained(root: Root, tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='no run below .* has trained a model'):
        find_curves(tmp_path / 'nowhere')
    root.add('1', None)
    root.add('2', 'a')
    shutil.rmtree(root.folder('a'))
    with pytest.raises(DataError, match='no run of sentiment below .* has trained a model'):
        find_curves(root.path, 'sentiment')


def test_error_names_the_store_when_it_is_damaged(tmp_path: pathlib.Path) -> None:
    Root(tmp_path).add('1', 'a')
    (tmp_path / 'metadata.sqlite').write_bytes(b'not a database at all ' * 500)
    with pytest.raises(StoreError, match=r'metadata\.sqlite is damaged') as found:
        find_curves(tmp_path)
    assert found.value.hint == f'python pipeline_runner.py repair --root {tmp_path}'


def test_port_is_refused_when_it_is_in_use(tmp_path: pathlib.Path) -> None:
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f'port {port}.* in use') as caught:
            serve({str(tmp_path): '1'}, port)
    assert '--port' in caught.value.hint


def test_folder_is_refused_when_its_path_has_a_comma() -> None:
    with pytest.raises(ConfigError, match=r'expected paths without a comma .* /runs/a,b'):
        serve({'/runs/a,b': '1'}, 0)
