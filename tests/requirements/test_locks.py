"""Everything that is installed is one version, known by its hash."""

from __future__ import annotations

import pathlib
import re

import pytest

from tests.conftest import REPO

_LOCKS = sorted((REPO / 'requirements').glob('*.txt'))
_REQUIREMENT = re.compile(r'[a-z0-9]([a-z0-9._-]*[a-z0-9])?==[0-9][A-Za-z0-9.+!-]*')
_HASH = re.compile(r'--hash=sha256:[0-9a-f]{64}')


def test_there_is_a_lock_for_all_that_is_installed() -> None:
    names = {path.name for path in _LOCKS}
    stacks = {
        f'tfx-{stack}{extra}.txt'
        for stack in ('1.16', '1.21')
        for extra in ('', '-dev', '-bench', '-cloud')
    }
    assert names == stacks | {'uv.txt', 'build.txt', 'audit.txt', 'kfp-local.txt'}


@pytest.mark.parametrize('lock', _LOCKS, ids=lambda path: path.name)
def test_each_requirement_has_one_version_and_hashes(lock: pathlib.Path) -> None:
    text = lock.read_text(encoding='utf-8')
    entries = [entry.split() for entry in text.replace('\\\n', ' ').splitlines() if entry.strip()]
    assert entries
    for requirement, *hashes in entries:
        assert _REQUIREMENT.fullmatch(requirement)
        assert hashes
        assert all(_HASH.fullmatch(part) for part in hashes)
    names = [requirement.partition('==')[0] for requirement, *_ in entries]
    assert sorted(set(names)) == sorted(names)


def test_hashes_are_required_where_something_is_installed() -> None:
    dockerfile = (REPO / 'Dockerfile').read_text(encoding='utf-8').replace('\\\n', ' ')
    installs = re.findall(r'[^&\n]*pip (?:install|sync)[^&\n]*', dockerfile)
    assert len(installs) == 2
    set_up = (REPO / 'requirements' / 'set_up.py').read_text(encoding='utf-8')
    tools = (REPO / 'requirements' / 'tools.py').read_text(encoding='utf-8')
    for install in [*installs, set_up, tools]:
        assert '--require-hashes' in install
    assert not re.search(r'\bpip install\b', (REPO / 'Makefile').read_text(encoding='utf-8'))
