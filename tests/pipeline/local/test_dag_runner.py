"""The order in which nodes run, and what is left when one fails."""

from __future__ import annotations

import concurrent.futures
import pathlib
import threading
from collections.abc import Callable, Collection
from typing import Any

import pytest
from tfx.proto.orchestration import pipeline_pb2

from components.common.errors import DataError
from pipeline.local import dag_runner
from pipeline.local.dag_runner import LocalRunner
from pipeline.local.launcher import Launched
from pipeline.local.schedule import Schedule
from pipeline.local.workers import StoppedError
from pipeline.results.outcome import NodeResult
from pipeline.store.artifacts import ArtifactKeeper

# By node, the nodes whose outputs it reads.
_INPUTS = {
    'ExampleGen': (),
    'SchemaGen': (),
    'StatisticsGen': ('ExampleGen',),
    'ExampleValidator': ('StatisticsGen', 'SchemaGen'),
    'Transform': ('ExampleGen', 'SchemaGen'),
    'Trainer': ('ExampleGen', 'Transform'),
    'Evaluator': ('ExampleGen', 'Trainer'),
    'Pusher': ('Trainer', 'Evaluator'),
}


def make_pipeline() -> pipeline_pb2.Pipeline:
    pipeline = pipeline_pb2.Pipeline()
    for node_id, inputs in _INPUTS.items():
        node = pipeline.nodes.add().pipeline_node
        node.node_info.id = node_id
        for name in inputs:
            channel = node.inputs.inputs[name].channels.add()
            channel.producer_node_query.id = name
    return pipeline


def test_nodes_start_when_the_nodes_that_they_read_from_have_ended() -> None:
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in make_pipeline().nodes}
    schedule = Schedule(nodes)
    expected = [
        ((), ['ExampleGen', 'SchemaGen']),
        (('ExampleGen', 'SchemaGen'), ['StatisticsGen', 'Transform']),
        (('Transform',), ['StatisticsGen', 'Trainer']),
        # It waits for ExampleValidator, though it does not read from it.
        (('Trainer',), ['StatisticsGen']),
        (('StatisticsGen',), ['ExampleValidator']),
        (('ExampleValidator',), ['Evaluator']),
        (('Evaluator',), ['Pusher']),
    ]
    ended: set[str] = set()
    for newly_ended, ready in expected:
        ended.update(newly_ended)
        assert schedule.find_ready(ended=ended, started=ended) == ready
    assert schedule.find_ready(ended=ended, started={*ended, 'Pusher'}) == []


class FakeWorkers:
    """Two workers; `stop` ends the nodes that wait in `Nodes`."""

    count = 2

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def stop(self, node_ids: Collection[str] | None = None) -> None:
        for node_id in _INPUTS if node_ids is None else node_ids:
            self._nodes.stopped[node_id].set()


class Nodes:
    """Plays the launcher: each node ends as the test wants it.

    Attributes:
        ends: Called in place of a node; all others succeed at once.
        stopped: By node, set when it is stopped.
        started: The nodes that were started, in their order.
    """

    def __init__(self) -> None:
        self.ends: dict[str, Callable[[], None]] = {}
        self.stopped = {node_id: threading.Event() for node_id in _INPUTS}
        self.started: list[str] = []

    def launch(self, node: pipeline_pb2.PipelineNode, *, cache: bool) -> Launched:
        node_id = node.node_info.id
        self.started.append(node_id)
        if node_id in self.ends:
            self.ends[node_id]()
        return Launched(list(_INPUTS).index(node_id), {}, cached=False, damage=None)

    def wait_until_stopped(self, node_id: str) -> None:
        assert self.stopped[node_id].wait(60)
        raise StoppedError(node_id)


class Recorder:
    """Records the results of nodes."""

    def __init__(self) -> None:
        self.results: list[tuple[str, str]] = []

    def node_started(self, index: int, total: int, node_id: str) -> None:
        assert (index, total) == ([*_INPUTS].index(node_id) + 1, len(_INPUTS))

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        self.results.append((result.id, result.state))


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    nodes = Nodes()
    monkeypatch.setattr(dag_runner, 'NodeLauncher', lambda *_: nodes)
    monkeypatch.setattr(dag_runner.RunFindings, 'add', lambda *_: '')
    monkeypatch.setattr(dag_runner, '_CHANGED_SOMETHING', {})
    return nodes


def make_runner(nodes: Nodes, root: pathlib.Path, *, side_by_side: bool) -> LocalRunner:
    workers: Any = FakeWorkers(nodes) if side_by_side else None
    return LocalRunner(
        Recorder(), run_id='1', own_context=('a', 'b'), keeper=ArtifactKeeper(root), workers=workers
    )


def fail_with(error: Exception, *, after: threading.Event | None = None) -> Callable[[], None]:
    def fail() -> None:
        assert after is None or after.wait(60)
        raise error

    return fail


def states(runner: LocalRunner) -> dict[str, str]:
    return {result.id: result.state for result in runner.all_results('failed')}


@pytest.mark.parametrize('side_by_side', [False, True])
def test_all_nodes_run_when_none_fails(
    side_by_side: bool, nodes: Nodes, tmp_path: pathlib.Path
) -> None:
    runner = make_runner(nodes, tmp_path, side_by_side=side_by_side)
    runner.run_with_ir(make_pipeline())
    assert states(runner) == dict.fromkeys(_INPUTS, 'executed')
    assert runner.discarded == []
    if not side_by_side:
        assert nodes.started == list(_INPUTS)


def test_nodes_after_a_failed_one_do_not_count_when_they_were_ahead(
    nodes: Nodes, tmp_path: pathlib.Path
) -> None:
    training = threading.Event()

    def train() -> None:
        training.set()
        nodes.wait_until_stopped('Trainer')

    nodes.ends['Trainer'] = train
    nodes.ends['ExampleValidator'] = fail_with(DataError('anomalies'), after=training)
    runner = make_runner(nodes, tmp_path, side_by_side=True)
    with pytest.raises(DataError, match='^anomalies$'):
        runner.run_with_ir(make_pipeline())
    before = ['ExampleGen', 'SchemaGen', 'StatisticsGen']
    assert states(runner) == {
        **dict.fromkeys(_INPUTS, 'skipped'),
        **dict.fromkeys(before, 'executed'),
        'ExampleValidator': 'failed',
    }
    assert runner.discarded == [list(_INPUTS).index('Transform')]
    assert runner.current == 'ExampleValidator'
    assert 'Evaluator' not in nodes.started


def test_error_of_the_first_node_counts_when_several_fail(
    nodes: Nodes, tmp_path: pathlib.Path
) -> None:
    """Transform cannot read the data, and ExampleValidator says later what is wrong with it."""
    transformed = threading.Event()

    def transform() -> None:
        transformed.set()
        raise ValueError('cannot parse')

    nodes.ends['Transform'] = transform
    nodes.ends['StatisticsGen'] = lambda: transformed.wait(60) and None
    nodes.ends['ExampleValidator'] = fail_with(DataError('anomalies'))
    runner = make_runner(nodes, tmp_path, side_by_side=True)
    with pytest.raises(DataError, match='^anomalies$'):
        runner.run_with_ir(make_pipeline())
    assert states(runner)['ExampleValidator'] == 'failed'
    assert states(runner)['Transform'] == 'skipped'
    assert runner.current == 'ExampleValidator'
    assert 'Trainer' not in nodes.started


def test_nodes_before_a_failed_one_end_when_they_do_not_fail(
    nodes: Nodes, tmp_path: pathlib.Path
) -> None:
    nodes.ends['Transform'] = fail_with(ValueError('cannot parse'))
    runner = make_runner(nodes, tmp_path, side_by_side=True)
    with pytest.raises(ValueError, match='^cannot parse$'):
        runner.run_with_ir(make_pipeline())
    assert list(states(runner).values()) == [*['executed'] * 4, 'failed', *['skipped'] * 3]
    assert runner.discarded == []


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt the wait for nodes as Ctrl-C does."""

    def wait(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(concurrent.futures, 'wait', wait)


@pytest.mark.usefixtures('interrupting')
def test_running_nodes_are_stopped_when_the_run_is_interrupted(
    nodes: Nodes, tmp_path: pathlib.Path
) -> None:
    nodes.ends['ExampleGen'] = lambda: nodes.wait_until_stopped('ExampleGen')
    runner = make_runner(nodes, tmp_path, side_by_side=True)
    with pytest.raises(KeyboardInterrupt):
        runner.run_with_ir(make_pipeline())
    results = [result.state for result in runner.all_results('interrupted')]
    assert results == [*['interrupted'] * 2, *['skipped'] * 6]
