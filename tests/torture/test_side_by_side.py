"""Runs at the same time: of two pipelines below one root, and of the same one."""

from __future__ import annotations

import pathlib
import signal
import time

from tests.conftest import NODES
from tests.torture.conftest import Tally
from tests.torture.victim import Victim

_ROUNDS = 3


def test_two_pipelines_run_side_by_side_when_they_share_a_root(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    losses: list[str] = []
    overlapping = 0
    for turn in range(_ROUNDS):
        # The store does not exist yet, so both create it.
        root = tmp_path / str(turn) / 'runs'
        pair = [
            Victim(tmp_path / f'{turn}-{name}', 1_200 + 100 * index, name=name, root=root)
            for index, name in enumerate(('ham', 'spam'))
        ]
        processes = [victim.start() for victim in pair]
        while not all(victim.complete() for victim in pair):
            assert any(process.poll() is None for process in processes), 'both runs have ended'
            time.sleep(0.2)
        overlapping += all(process.poll() is None for process in processes)
        for victim, process in zip(pair, processes):
            states = victim.wait_for(process, set())
            if states != dict.fromkeys(NODES, 'executed'):
                victim.losses.append(f'{victim.name} used results of another pipeline: {states}')
            losses += victim.losses
    tally(
        fault='two pipelines below one root at the same time',
        runs=2 * _ROUNDS,
        faults=overlapping,
        losses=len(losses),
    )
    assert losses == []
    assert overlapping == _ROUNDS


def test_second_run_of_a_pipeline_is_refused_or_waits_when_one_is_in_progress(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    victim = Victim(tmp_path / 'home')
    refused, waited = 0, 0
    first = victim.start()
    while not victim.complete():
        assert first.poll() is None, 'the run has ended'
        time.sleep(0.1)
    first.send_signal(signal.SIGSTOP)
    patient = victim.start('--wait')
    assert patient.stderr is not None
    waited += patient.stderr.readline().startswith('waiting for the end of run ')
    for _ in range(3):
        second = victim.start()
        _, err = second.communicate(timeout=60)
        refused += second.returncode == 2 and f'process {first.pid}, since' in err
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=300)
    assert first.returncode == 0, err
    states = victim.wait_for(patient, set(NODES))
    tally(
        fault='a second run of a pipeline while one is in progress',
        runs=victim.runs,
        faults=refused + waited,
        losses=len(victim.losses),
    )
    assert victim.losses == []
    assert (refused, waited) == (3, 1)
    assert states == dict.fromkeys(NODES, 'cached')
