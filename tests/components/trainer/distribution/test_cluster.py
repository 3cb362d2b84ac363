from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from components.common.errors import ComponentError, ConfigError
from components.trainer.distribution.cluster import (
    Cluster,
    answers,
    await_chief,
    read_cluster,
    require_chief,
)

TWO = {'worker': ['a:1', 'b:2']}


def environment(cluster: Any, kind: Any, index: Any) -> dict[str, str]:
    return {
        'TF_CONFIG': json.dumps({'cluster': cluster, 'task': {'type': kind, 'index': index}})
    }


@pytest.mark.parametrize(
    ('cluster', 'kind', 'index', 'found'),
    [
        (TWO, 'worker', 0, Cluster(('a:1', 'b:2'), 0)),
        (TWO, 'worker', 1, Cluster(('a:1', 'b:2'), 1)),
        (TWO, 'worker', '1', Cluster(('a:1', 'b:2'), 1)),
        ({'chief': ['c:3'], **TWO}, 'chief', 0, Cluster(('c:3', 'a:1', 'b:2'), 0)),
        ({'chief': ['c:3'], **TWO}, 'worker', 1, Cluster(('c:3', 'a:1', 'b:2'), 2)),
        ({'chief': ['[::1]:3'], 'worker': ['b:2']}, 'worker', 0, Cluster(('[::1]:3', 'b:2'), 1)),
    ],
)
def test_chief_comes_first_when_a_cluster_is_read(
    cluster: Any, kind: str, index: Any, found: Cluster
) -> None:
    read = read_cluster(environment(cluster, kind, index))
    assert read == found
    assert read.is_chief == (found.index == 0)
    assert set(read.others) == set(found.addresses) - {found.addresses[found.index]}


@pytest.mark.parametrize(
    ('given', 'why'),
    [
        ({}, 'it is not set$'),
        ({'TF_CONFIG': ' '}, 'it is not set$'),
        ({'TF_CONFIG': '{'}, 'it is no JSON'),
        ({'TF_CONFIG': '[]'}, 'it has no cluster or no task'),
        ({'TF_CONFIG': '{"cluster": {"worker": ["a:1", "b:2"]}}'}, 'it has no cluster or no task'),
        (environment({'ps': ['a:1'], **TWO}, 'worker', 0), 'names tasks of type ps'),
        (environment({'chief': ['c:3', 'd:4'], **TWO}, 'worker', 0), 'names 2 chiefs'),
        (environment({'worker': ['a:1', 'a:1']}, 'worker', 0), 'names an address twice'),
        (environment(TWO, 'worker', 2), 'its task is .*"index": 2'),
        (environment(TWO, 'worker', -1), 'its task is .*"index": -1'),
        (environment(TWO, 'worker', True), 'its task is'),
        (environment(TWO, 'chief', 0), 'its task is'),
        (environment(TWO, 'evaluator', 0), 'its task is'),
        (environment({'worker': 'a:1'}, 'worker', 0), 'expected a list of HOST:PORT'),
        (environment({'worker': ['a', 'b:2']}, 'worker', 0), "'a' is no HOST:PORT"),
        (environment({'worker': ['a:0', 'b:2']}, 'worker', 0), "'a:0' is no HOST:PORT"),
        (environment({'worker': ['a:70000', 'b:2']}, 'worker', 0), "'a:70000' is no HOST:PORT"),
        (environment({'worker': ['a:1']}, 'worker', 0), 'one worker, which trains alone'),
    ],
)
def test_tf_config_is_refused_with_the_reason_when_it_is(given: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        read_cluster(given)
    assert '"cluster"' in caught.value.hint


def test_another_worker_is_told_its_command_when_it_runs_the_pipeline() -> None:
    assert require_chief(environment(TWO, 'worker', 0)).is_chief
    with pytest.raises(ConfigError, match='this is worker 1.* the chief is, a:1$') as caught:
        require_chief(environment(TWO, 'worker', 1))
    assert 'python -m components.trainer.worker' in caught.value.hint


def test_waiting_for_the_chief_ends_when_it_listens_or_the_time_is_over() -> None:
    with socket.create_server(('127.0.0.1', 0)) as server:
        address = f'127.0.0.1:{server.getsockname()[1]}'
        cluster = Cluster((address, 'b:2'), 1)
        assert answers(address)
        await_chief(cluster, 0.1)
    assert not answers(address)
    with pytest.raises(ComponentError, match=f'{address} did not begin to train within 0 s'):
        await_chief(cluster, 0.1)
