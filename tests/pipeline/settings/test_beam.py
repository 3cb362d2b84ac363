from __future__ import annotations

import math
import pathlib
from typing import Any

import pydantic
import pytest
import yaml

from components.common.errors import ConfigError
from pipeline.settings.beam import BeamSettings
from pipeline.settings.config import load_config
from tests.conftest import call_command


@pytest.mark.parametrize(
    'arg', ['runner=DirectRunner', '--number_of_worker_harness_threads 4', '-r', '']
)
def test_beam_args_are_refused_when_one_is_not_an_option(arg: str) -> None:
    flags = {'data.path': 'reviews.csv', 'beam.args': [arg]}
    with pytest.raises(ConfigError, match=r'beam\.args: expected one Beam option per element'):
        load_config(preset='ngram', flags=flags)


@pytest.mark.parametrize(
    'arg',
    [
        '--s3_secret_access_key=s3cret',
        '--azure_connection_string=s3cret',
        '--dataflow_endpoint=https://me:s3cret@example.com',
        '--flink_master=http://flink:8081/?token=s3cret',
    ],
)
def test_credentials_are_refused_and_not_repeated_when_beam_args_contain_them(
    arg: str, tmp_path: pathlib.Path
) -> None:
    done = call_command('config', 'show', '--set', f'beam.args=["{arg}"]', cwd=tmp_path)
    assert (done.code, done.out) == (2, '')
    assert len(done.err.splitlines()) == 1
    assert 's3cret' not in done.err


def test_option_wins_when_a_file_names_another_runner(tmp_path: pathlib.Path) -> None:
    file = tmp_path / 'beam.yaml'
    file.write_text(yaml.safe_dump({'beam': {'runner': 'FlinkRunner'}}))
    args = ('config', 'show', '--config', str(file), '--beam-runner', 'PortableRunner')
    done = call_command(*args, cwd=tmp_path)
    assert yaml.safe_load(done.out)['beam']['runner'] == 'PortableRunner'


@pytest.mark.parametrize('minutes', [1e-9, 1440])
def test_time_to_start_is_accepted_when_it_is_at_its_bound(minutes: float) -> None:
    assert BeamSettings(start_timeout_minutes=minutes).start_timeout_minutes == minutes


@pytest.mark.parametrize('minutes', [0, -1, 1440.1, math.nan, math.inf, None, 'long'])
def test_time_to_start_is_refused_when_it_is_beyond_its_bound(minutes: Any) -> None:
    with pytest.raises(pydantic.ValidationError, match=r'(?m)^start_timeout_minutes$'):
        BeamSettings(start_timeout_minutes=minutes)
