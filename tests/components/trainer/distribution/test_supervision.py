"""A worker's process is listened to; here it says what a test has it say."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from components.common.errors import (
    ComponentError,
    ConfigError,
    DataError,
    MissingDependencyError,
    ReviewsError,
    ServiceError,
    StoreError,
)
from components.trainer.distribution import supervision
from components.trainer.distribution.cluster import Cluster

_CLUSTER = Cluster(('127.0.0.1:1', '127.0.0.1:2'), 0)
_ALIVE = json.dumps({'alive': True})
_DONE = json.dumps({'done': {'counts': {}}})


def listen(monkeypatch: pytest.MonkeyPatch, code: str, timeout_seconds: float = 1.0) -> Any:
    """Listen to a process that runs `code`, in which `say` prints a line."""
    begin = 'import time\ndef say(line): print(line, flush=True)\n'
    monkeypatch.setattr(
        supervision, 'module_command', lambda _: [sys.executable, '-c', begin + code]
    )
    return supervision._run({}, _CLUSTER, timeout_seconds)


def test_time_to_import_does_not_count_when_a_process_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = listen(monkeypatch, f'time.sleep(2)\nsay({_ALIVE!r})\nsay({_DONE!r})', 0.5)
    assert done == {'counts': {}}


def test_it_is_given_up_when_it_is_silent_after_its_first_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ComponentError, match=r'worker 0: there was no progress for 1 s; no answer'):
        listen(monkeypatch, f'say({_ALIVE!r})\ntime.sleep(1_000)')


def test_it_has_the_time_that_the_chief_says_when_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = json.dumps({'timeout_seconds': 60})
    done = listen(monkeypatch, f'say({told!r})\ntime.sleep(1.5)\nsay({_DONE!r})', 0.5)
    assert done == {'counts': {}}


@pytest.mark.parametrize(
    'cls',
    [ConfigError, DataError, ComponentError, MissingDependencyError, ServiceError, StoreError],
)
def test_error_is_of_its_class_when_a_process_says_its_exit_code(
    cls: type[ReviewsError], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = json.dumps({'error': 'it fails', 'hint': 'mend it', 'exit_code': cls.exit_code})
    with pytest.raises(ReviewsError, match='^it fails$') as found:
        listen(monkeypatch, f'say({line!r})')
    assert type(found.value) is cls
    assert found.value.hint == 'mend it'


def test_it_is_the_components_when_a_process_says_what_nobody_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = json.dumps({'error': 'KeyError: x'})
    with pytest.raises(ComponentError, match='2 workers failed in worker 0: KeyError: x'):
        listen(monkeypatch, f'say({line!r})')
    with pytest.raises(ComponentError, match='its process ended with 3'):
        listen(monkeypatch, 'raise SystemExit(3)')
