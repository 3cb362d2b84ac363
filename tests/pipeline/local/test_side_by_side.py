"""A run whose nodes run side by side, as the command does it."""

from __future__ import annotations

import pathlib
import re

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from tests.conftest import REPO, SAMPLE, run_command


def test_nothing_that_was_learned_is_kept_when_the_data_has_anomalies(
    tmp_path: pathlib.Path,
) -> None:
    schema = (REPO / 'components' / 'schema' / 'reviews.pbtxt').read_text(encoding='utf-8')
    strict = tmp_path / 'strict.pbtxt'
    strict.write_text(
        schema.replace('min_examples_count: 20', 'min_examples_count: 700'), encoding='utf-8'
    )
    data = ('--data', str(SAMPLE), '--set', f'data.schema_file={strict}')
    done = run_command('run', '--json', *data, cwd=tmp_path)
    assert done.code == 4, done.err
    assert done.json['error'].startswith('the data does not fit the schema: val: ')
    assert list(done.states().values()) == [*['executed'] * 3, 'failed', *['skipped'] * 5]
    # Transform has usually ended by then; the Trainer has not.
    done_to = '(its outputs were removed|stopped), because ExampleValidator failed'
    assert re.search(f'Transform +skipped   {done_to}', done.err)
    artifacts = tmp_path / 'runs' / 'artifacts' / 'sentiment'
    for node in ('Transform', 'Trainer'):
        assert [path for path in artifacts.glob(f'{node}/[!.]*/*') if path.name.isdigit()] == []
    manifests = (tmp_path / 'runs' / 'manifests' / 'sentiment').iterdir()
    assert sorted(path.name for path in manifests if any(path.rglob('*.json'))) == [
        'ExampleGen',
        'SchemaGen',
        'StatisticsGen',
    ]
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / 'runs' / 'metadata.sqlite')
    executions = metadata_store.MetadataStore(config).get_executions()
    states = [execution.last_known_state for execution in executions]
    assert states.count(metadata_store_pb2.Execution.COMPLETE) == 3
    assert states.count(metadata_store_pb2.Execution.FAILED) == 1
    assert states.count(metadata_store_pb2.Execution.CANCELED) == len(states) - 4
    assert len(states) > 4
