"""The lock files: one version with hashes for each package, and consistent stacks."""

from __future__ import annotations

import itertools
import pathlib
import re
import runpy

import pytest

from requirements import lock
from requirements.stacks import NEW, OLD, ROOT, STACKS, Stack
from tests.conftest import REPO

_LOCKS = sorted((REPO / 'requirements').glob('*.txt'))
_REQUIREMENT = re.compile(r'[a-z0-9]([a-z0-9._-]*[a-z0-9])?==[0-9][A-Za-z0-9.+!-]*')
_HASH = re.compile(r'--hash=sha256:[0-9a-f]{64}')


def test_each_lock_has_a_known_name() -> None:
    names = {path.name for path in _LOCKS}
    stacks = {
        f'tfx-{stack}{extra}.txt'
        for stack in ('1.16', '1.21')
        for extra in ('', '-dev', '-bench', '-cloud')
    }
    assert names == stacks | {'uv.txt', 'build.txt', 'audit.txt', 'servers.txt'}


@pytest.mark.parametrize('path', _LOCKS, ids=lambda path: path.name)
def test_each_requirement_has_one_version_and_hashes(path: pathlib.Path) -> None:
    text = path.read_text(encoding='utf-8')
    assert '://' not in text
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


@pytest.mark.parametrize('stack', STACKS.values(), ids=STACKS)
def test_locks_contain_each_requirement_of_setup_py(stack: Stack) -> None:
    declared = runpy.run_path(str(ROOT / 'setup.py'))
    lists = (
        (stack.lock, 'INSTALL'),
        (stack.extra_lock('dev'), 'DEV'),
        (stack.extra_lock('bench'), 'BENCH'),
        (stack.extra_lock('cloud'), 'KUBEFLOW'),
        (stack.extra_lock('cloud'), 'VERTEX'),
    )
    for name, list_name in lists:
        pins = pins_of(name)
        for requirement in declared[f'{list_name}_REQUIRES']:
            package = re.match(r'[\w-]+', requirement)
            assert package
            assert package.group().lower() in pins
    assert pins_of(stack.lock)['tfx'] == stack.tfx


@pytest.mark.parametrize('stack', STACKS.values(), ids=STACKS)
@pytest.mark.parametrize('extra', ['dev', 'bench', 'cloud'])
def test_runtime_versions_are_unchanged_when_an_extra_is_installed(
    extra: str, stack: Stack
) -> None:
    assert_agree(pins_of(stack.lock), pins_of(stack.extra_lock(extra)))


@pytest.mark.parametrize('stack', STACKS.values(), ids=STACKS)
def test_extras_can_be_installed_together(stack: Stack) -> None:
    for one, other in itertools.combinations(stack.locks[1:], 2):
        assert_agree(pins_of(one), pins_of(other))


@pytest.mark.parametrize(
    ('stack', 'kfp', 'protobuf'), [(OLD, '2.5.0', '3'), (NEW, '2.16.1', '6')], ids=STACKS
)
def test_kfp_supports_the_protobuf_of_the_stack(stack: Stack, kfp: str, protobuf: str) -> None:
    assert pins_of(stack.extra_lock('cloud'))['kfp'] == kfp
    assert pins_of(stack.lock)['protobuf'].split('.')[0] == protobuf


def test_old_stack_has_the_versions_that_its_packages_import() -> None:
    pins = pins_of(OLD.lock)
    assert pins['apache-beam'] == '2.59.0'  # installs dill
    assert 'dill' in pins
    assert 'tensorboard' in pins  # imports pkg_resources of setuptools
    assert int(pins['setuptools'].split('.')[0]) < 82


def test_source_only_packages_are_locked() -> None:
    locked = {
        package for stack in STACKS.values() for name in stack.locks for package in pins_of(name)
    }
    assert set(lock.SOURCE_ONLY) <= locked


def assert_agree(one: dict[str, str], other: dict[str, str]) -> None:
    shared = one.keys() & other.keys()
    assert shared
    assert {name: one[name] for name in shared} == {name: other[name] for name in shared}


def pins_of(name: str) -> dict[str, str]:
    return dict(re.findall(r'^([a-z0-9-]+)==(\S+)', (ROOT / name).read_text(), re.MULTILINE))
