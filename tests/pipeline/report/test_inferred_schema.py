from __future__ import annotations

import pathlib
import shutil

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.common.errors import DataError
from components.schema.component import CURATED_SCHEMA, make_schema_gen
from pipeline.report.inferred_schema import infer_schema, merge_schema
from tests.conftest import call_command
from tests.pipeline.report.conftest import Runs

CURATED = text_format.Parse(CURATED_SCHEMA.read_text(encoding='utf-8'), schema_pb2.Schema())


def test_schema_has_the_curated_entries_and_inferred_ones(tmp_path: pathlib.Path) -> None:
    frame = pd.DataFrame(
        {
            'text': [f'Review {number}.' for number in range(100)],
            'label': [7] * 100,
            'length': ['1-10'] * 100,
            'product': ['tea', 'cake'] * 50,
            'stars': [5.0] * 99 + [None],
        }
    )
    statistics = tfdv.generate_statistics_from_dataframe(frame)
    text = merge_schema(statistics)
    schema = text_format.Parse(text, schema_pb2.Schema())
    assert [
        feature for feature in schema.feature if feature.name in ('text', 'label', 'length')
    ] == [*CURATED.feature]
    assert schema.dataset_constraints == CURATED.dataset_constraints
    domains = {domain.name: [*domain.value] for domain in schema.string_domain}
    assert domains['product'] == ['cake', 'tea']
    anomalies = tfdv.validate_statistics(statistics, schema).anomaly_info
    assert set(anomalies) == {'label'}  # the curated entry knows only 0 and 1

    path = tmp_path / 'schema.pbtxt'
    path.write_text(text)
    make_schema_gen(str(path), ('product:string', 'stars:float'))


def test_command_prints_the_schema_of_a_run(runs: Runs) -> None:
    done = call_command('schema', runs.id_of('pushed'), cwd=runs.home)
    assert (done.code, done.out) == (0, str(CURATED))


def test_message_says_so_when_the_statistics_are_damaged_or_missing(runs: Runs) -> None:
    for path in runs.root.glob('artifacts/*/StatisticsGen/statistics/*/Split-train/*'):
        path.write_bytes(b'\xff')
    with pytest.raises(DataError, match='statistics of run .* cannot be read: .* is damaged'):
        infer_schema(runs.root, None)
    (statistics,) = runs.root.glob('artifacts/*/StatisticsGen/statistics')
    shutil.rmtree(statistics)
    with pytest.raises(DataError, match='statistics of run .* cannot be read: No such file'):
        infer_schema(runs.root, None)
