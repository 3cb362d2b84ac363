"""Runs that are killed: at random moments, in each node, and while they push."""

from __future__ import annotations

import collections
import concurrent.futures
import pathlib
import random
import shutil
import signal
from collections.abc import Callable

from tests.torture.conftest import Tally
from tests.torture.victim import NODES, Moment, Victim

_SEED = 6
_RANDOM_KILLS = 12
_PUSH_KILLS = 8
# Longer than imports and a run of 1,200 reviews take on one core.
_LONGEST_SECONDS = 9.0
_MOST_TRIES = 4


def in_node(victim: Victim, node: str) -> Moment:
    """Return the moment at which a node of the next run has begun."""
    if node == 'BaselineResolver':
        # It has no executor, so it makes no folder: it begins when the Trainer is complete.
        new = new_executions(victim, 'Trainer')
        return lambda: any(map(victim.is_complete, new()))
    new = new_executions(victim, node)
    return lambda: bool(new())


def new_executions(victim: Victim, node: str) -> Callable[[], set[str]]:
    seen = set(victim.executions_of(node))
    return lambda: set(victim.executions_of(node)) - seen


def kill_in_each_node(home: pathlib.Path, seed: int) -> Victim:
    chance = random.Random(seed)
    victim = Victim(home / 'nodes', rows=1_200)
    for node in NODES:
        victim.kill(in_node(victim, node), delay=chance.uniform(0, 0.01))
    victim.finish()
    # What was missed is complete there, and can only be met in another pipeline.
    for attempt in range(_MOST_TRIES):
        for node in [node for node in NODES if not victim.stopped_in[node]]:
            other = Victim(home / f'{node}-{attempt}', rows=1_201 + attempt)
            other.kill(in_node(other, node))
            other.finish()
            victim.add(other)
    return victim


def kill_at_random(home: pathlib.Path, seed: int) -> Victim:
    chance = random.Random(seed)
    victim = Victim(home / 'random', rows=1_300)
    for kill in range(_RANDOM_KILLS):
        victim.kill(lambda: True, delay=chance.uniform(0.5, _LONGEST_SECONDS))
        if kill == _RANDOM_KILLS // 2:
            victim.finish()
            victim = victim.followed_by(home / 'random-2', rows=1_400)
    victim.finish()
    return victim


def kill_while_pushing(home: pathlib.Path, seed: int) -> Victim:
    chance = random.Random(seed)
    victim = Victim(home / 'push', rows=1_500)
    for _ in range(_PUSH_KILLS):
        # All else comes from the cache, and what is not served is pushed again.
        shutil.rmtree(victim.serving, ignore_errors=True)
        victim.kill(lambda: bool(victim.parts()), delay=chance.choice([0, chance.uniform(0, 0.02)]))
    victim.finish()
    return victim


def side_by_side(
    *chains: Callable[[pathlib.Path, int], Victim], home: pathlib.Path
) -> list[Victim]:
    """Run the chains, two at a time: on two cores, that is what they take."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        begun = [
            pool.submit(chain, home / str(index), _SEED + index)
            for index, chain in enumerate(chains)
        ]
        return [future.result() for future in begun]


def test_nothing_is_lost_when_runs_are_killed(tmp_path: pathlib.Path, tally: Tally) -> None:
    nodes, others, at_random, pushing = side_by_side(
        kill_in_each_node, kill_in_each_node, kill_at_random, kill_while_pushing, home=tmp_path
    )
    nodes.add(others)
    for node in NODES:
        tally(
            fault=f'run killed in {node}',
            runs=nodes.stopped_in[node],
            faults=nodes.stopped_in[node],
            losses=0,
        )
    for what, victim in (
        ('the runs that resume these', nodes),
        ('run killed at a random moment', at_random),
        ('run killed while it pushes', pushing),
    ):
        of_nodes = sum(victim.stopped_in[node] for node in NODES) if victim is nodes else 0
        tally(
            fault=what,
            runs=victim.runs - of_nodes,
            faults=victim.stops - of_nodes,
            losses=len(victim.losses),
        )
    assert nodes.losses + at_random.losses + pushing.losses == []
    assert set(nodes.stopped_in) >= set(NODES)
    assert nodes.stops + at_random.stops + pushing.stops >= 30
    # Before the rename, which is when there is half of a version, and after it.
    assert pushing.parts_left >= 3
    assert pushing.stops >= 5


def test_it_stops_within_five_seconds_when_a_signal_comes_in_each_node(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    def chain(home: pathlib.Path, seed: int) -> Victim:
        victim = Victim(home / 'signals', rows=1_200 + seed)
        for index, node in enumerate(NODES):
            number = (signal.SIGTERM, signal.SIGINT)[(index + seed) % 2]
            victim.interrupt(in_node(victim, node), number)
        victim.finish()
        return victim

    one, other = side_by_side(chain, chain, home=tmp_path)
    one.add(other)
    tally(
        fault='SIGTERM or SIGINT in each node, twice',
        runs=one.runs,
        faults=one.stops,
        losses=len(one.losses),
    )
    assert one.losses == []
    assert one.stops >= 15
    assert collections.Counter(one.stopped_in).total() == one.stops
