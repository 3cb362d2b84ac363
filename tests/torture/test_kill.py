"""Runs that are killed: at random moments, in each node, and while they push."""

from __future__ import annotations

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import signal
import time
from collections.abc import Callable

from tests.conftest import NODES, children
from tests.torture.conftest import Tally
from tests.torture.victim import Moment, Victim

_SEED = 6
_RANDOM_KILLS = 12
_PUSH_KILLS = 8
# Longer than the imports and a run of 1,200 reviews on one core.
_LONGEST_SECONDS = 9.0
_MOST_TRIES = 4
_ENDED = r'error: \w+: (its process was ended by SIGKILL|all processes for nodes were ended); '


def in_node(victim: Victim, node: str) -> Moment:
    """Return the moment at which a node of the next run has started."""
    # ServedBaseline takes milliseconds, so it could be missed. It starts when the Trainer is
    # complete.
    watched = 'Trainer' if node == 'ServedBaseline' else node
    seen = victim.executions_of(watched)

    def has_started() -> bool:
        new = victim.executions_of(watched) - seen
        return any(watched == node or victim.is_complete(execution) for execution in new)

    return has_started


def kill_in_each_node(home: pathlib.Path, seed: int) -> Victim:
    chance = random.Random(seed)
    victim = Victim(home / 'nodes', rows=1_200)
    for node in NODES:
        victim.kill(in_node(victim, node), node=node, delay=chance.uniform(0, 0.01))
    victim.finish()
    # A node that was missed is complete there, so it can only be killed in another pipeline.
    for attempt in range(_MOST_TRIES):
        for node in [node for node in NODES if not victim.stopped_in[node]]:
            other = Victim(home / f'{node}-{attempt}', rows=1_201 + attempt)
            other.kill(in_node(other, node), node=node)
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
            first, victim = victim, Victim(home / 'random-2', rows=1_400)
            victim.add(first)
    victim.finish()
    return victim


def kill_while_pushing(home: pathlib.Path, seed: int) -> Victim:
    chance = random.Random(seed)
    victim = Victim(home / 'push', rows=1_500)
    for _ in range(_PUSH_KILLS):
        # All other nodes are cached. A model that is not served is pushed again.
        shutil.rmtree(victim.serving, ignore_errors=True)
        victim.kill(lambda: bool(victim.parts()), delay=chance.choice([0, chance.uniform(0, 0.02)]))
    victim.finish()
    return victim


def side_by_side(
    *chains: Callable[[pathlib.Path, int], Victim], home: pathlib.Path
) -> list[Victim]:
    """Run the chains, two at a time, because the expected machine has two cores."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        homes = [home / str(index) for index in range(len(chains))]
        seeds = range(_SEED, _SEED + len(chains))
        return list(pool.map(lambda chain, *args: chain(*args), chains, homes, seeds))


def test_nothing_is_lost_when_runs_are_killed(tmp_path: pathlib.Path, tally: Tally) -> None:
    nodes, others, at_random, pushing = side_by_side(
        kill_in_each_node, kill_in_each_node, kill_at_random, kill_while_pushing, home=tmp_path
    )
    nodes.add(others)
    for node in nodes.stopped_in:
        tally(
            fault=f'run killed in {node}',
            runs=nodes.stopped_in[node],
            faults=nodes.stopped_in[node],
            losses=nodes.lost_in[node],
        )
    stops, losses = nodes.stopped_in.total(), nodes.lost_in.total()
    tally(
        fault='the runs that resume these',
        runs=nodes.runs - stops,
        faults=nodes.stops - stops,
        losses=len(nodes.losses) - losses,
    )
    for fault, victim in (
        ('run killed at a random moment', at_random),
        ('run killed while it pushes', pushing),
    ):
        tally(fault=fault, runs=victim.runs, faults=victim.stops, losses=len(victim.losses))
    assert nodes.losses + at_random.losses + pushing.losses == []
    assert set(nodes.stopped_in) >= set(NODES)
    assert nodes.stops + at_random.stops + pushing.stops >= 30
    # Some are killed before the rename, when the version is incomplete, and some after it.
    assert pushing.parts_left >= 3
    assert pushing.stops >= 5


# The process imports this as `sitecustomize`: the Trainer calls C code that takes minutes.
_STUCK = """
import hashlib, sys, threading, time

def wait():
    while 'pipeline.local.runner' not in sys.modules:
        time.sleep(0.1)
    from components.trainer.executor import Executor
    Executor.Do = lambda *args: hashlib.pbkdf2_hmac('sha256', b'', b'', 2_000_000_000)

if 'run' in sys.orig_argv:
    threading.Thread(target=wait, daemon=True).start()
"""


def test_run_leaves_a_record_when_terminated_in_a_call_that_cannot_be_interrupted(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    victim = Victim(tmp_path / 'home')
    (tmp_path / 'sitecustomize.py').write_text(_STUCK)
    process = victim.start(environment={'PYTHONPATH': str(tmp_path)})
    trains = in_node(victim, 'Trainer')
    while not trains():
        assert process.poll() is None, 'the run has ended'
        time.sleep(0.01)
    time.sleep(1)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    seconds = time.monotonic() - began
    states = {node['id']: node['state'] for node in json.loads(out)['nodes']}
    record = json.loads(next((victim.root / 'records').iterdir()).read_text(encoding='utf-8'))
    victim.finish()
    tally(
        fault='SIGTERM in a call of C code that takes minutes',
        runs=victim.runs,
        faults=1,
        losses=len(victim.losses),
    )
    assert victim.losses == []
    assert process.returncode == 143
    # The node is in a process of its own, which is killed.
    assert seconds < 3
    assert states['Trainer'] == 'interrupted'
    assert record == json.loads(out)
    assert err.splitlines()[-1].startswith('terminated; to resume from the cached nodes, run: ')


def test_run_names_its_nodes_and_resumes_when_their_processes_are_killed(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    """As the system does when memory runs out."""
    victim = Victim(tmp_path / 'home')
    killed = 0
    # ServedBaseline takes milliseconds, so it would be missed.
    for node in [node for node in NODES if node != 'ServedBaseline']:
        moment, process = in_node(victim, node), victim.start()
        while process.poll() is None and not moment():
            time.sleep(0.001)
        for pid in children(process.pid):
            os.kill(pid, signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        victim.check()
        if process.returncode == 0:  # the node was missed
            continue
        killed += 1
        if process.returncode != 5 or not re.search(_ENDED, err):
            victim.losses.append(f'a run without processes ended with {process.returncode}: {err}')
    victim.finish()
    tally(
        fault='the processes of the nodes are killed',
        runs=victim.runs,
        faults=killed,
        losses=len(victim.losses),
    )
    assert victim.losses == []
    assert killed >= 6


def test_run_stops_within_five_seconds_when_a_signal_arrives_in_any_node(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    def chain(home: pathlib.Path, seed: int) -> Victim:
        victims = [Victim(home / 'signals', rows=1_200 + seed)]
        for index, node in enumerate(NODES):
            # Nodes run side by side, so this one may be complete already.
            if node in victims[-1].complete():
                victims.append(Victim(home / node, rows=1_200 + seed + index))
            number = (signal.SIGTERM, signal.SIGINT)[(index + seed) % 2]
            victims[-1].interrupt(in_node(victims[-1], node), number, node=node)
        for victim in victims:
            victim.finish()
        for victim in victims[1:]:
            victims[0].add(victim)
        return victims[0]

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
