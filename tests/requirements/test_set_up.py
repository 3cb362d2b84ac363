"""The choice of the stack, the programs of the machine, and the stamp of `.venv`."""

from __future__ import annotations

import json
import platform
import re
import sys
from pathlib import Path

import pytest

from requirements import set_up, stacks, tools
from requirements.stacks import NEW, OLD, ROOT, Host, SetUpError, Stack

DEBIAN_12 = Host('Linux', 'x86_64', (2, 36))
DEBIAN_13 = Host('Linux', 'x86_64', (2, 41))
APPLE_SILICON = Host('Darwin', 'arm64', None)
INTEL_MAC = Host('Darwin', 'x86_64', None)
MINOR = '{}.{}'.format(*sys.version_info)


def make_program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\n{script}\n')
    path.chmod(0o755)
    return str(path)


class TestChooseStack:
    @pytest.mark.parametrize(
        ('host', 'wanted', 'stack'),
        [
            (DEBIAN_12, '', OLD),
            (DEBIAN_13, '', NEW),
            (Host('Linux', 'x86_64', (2, 28)), '', OLD),
            (Host('Linux', 'x86_64', (2, 38)), '', OLD),
            (Host('Linux', 'x86_64', (2, 39)), '', NEW),
            (Host('Linux', 'x86_64', (3, 0)), '', NEW),
            (APPLE_SILICON, '', NEW),
            (INTEL_MAC, '', OLD),
            (DEBIAN_12, '1.16', OLD),
            (DEBIAN_13, '1.16', OLD),
            (DEBIAN_13, '1.21', NEW),
            (APPLE_SILICON, '1.21', NEW),
            (INTEL_MAC, '1.16', OLD),
        ],
    )
    def test_stack_is_one_that_runs_on_the_host(
        self, host: Host, wanted: str, stack: Stack
    ) -> None:
        assert stacks.choose_stack(host, wanted)[0] == stack

    @pytest.mark.parametrize(
        ('host', 'wanted', 'exit_code', 'message'),
        [
            (DEBIAN_12, '1.21', 6, r'STACK=1\.21 cannot work here: glibc 2\.36 is older'),
            (APPLE_SILICON, '1.16', 6, r'STACK=1\.16 cannot work here: .*Apple silicon'),
            (INTEL_MAC, '1.21', 6, r'STACK=1\.21 cannot work here: .*Intel Macs'),
            (DEBIAN_13, '1.17', 2, r"STACK is '1\.17'; it must be one of 1\.16, 1\.21"),
            (Host('Linux', 'x86_64', None), '', 6, 'without glibc'),
            (Host('Linux', 'x86_64', None), '1.16', 6, 'without glibc'),
            (Host('Linux', 'x86_64', (2, 27)), '', 6, r'glibc is 2\.27 here'),
            (Host('Linux', 'aarch64', (2, 41)), '', 6, 'for Linux on aarch64'),
            (Host('Windows', 'AMD64', None), '', 6, 'for Windows on AMD64'),
            (Host('FreeBSD', 'amd64', None), '', 6, 'for FreeBSD on amd64'),
        ],
    )
    def test_error_is_one_line_when_no_stack_runs_on_the_host(
        self, host: Host, wanted: str, exit_code: int, message: str
    ) -> None:
        with pytest.raises(SetUpError, match=message) as refusal:
            stacks.choose_stack(host, wanted)
        assert refusal.value.exit_code == exit_code
        assert '\n' not in str(refusal.value)

    def test_reason_names_the_glibc_version(self) -> None:
        assert '2.36' in stacks.choose_stack(DEBIAN_12)[1]
        assert '2.41' in stacks.choose_stack(DEBIAN_13)[1]

    def test_exit_code_is_6_when_no_stack_runs_on_the_host(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(stacks, 'detect_host', lambda: Host('Linux', 'aarch64', (2, 41)))
        assert set_up.main(['install']) == 6
        assert re.fullmatch(r'error: .+\n', capsys.readouterr().err)


class TestFindPython:
    def test_shim_is_skipped_when_it_does_not_run(self, tmp_path: Path) -> None:
        shim = make_program(tmp_path / 'shims' / 'python3.10', 'echo not selected >&2; exit 127')
        good = make_program(tmp_path / 'pyenv/versions/3.10.13/bin/python', 'echo suitable')
        candidates = tools.python_candidates(
            '3.10', str(tmp_path / 'shims'), tmp_path / 'pyenv', tmp_path / '.venv'
        )
        python = tools.find_python('3.10', 'x86_64', candidates)
        assert python.request == good
        assert python.passed_over == f'{shim} does not run'

    @pytest.mark.parametrize(
        ('change', 'minor', 'machine', 'reason'),
        [
            ('', MINOR, platform.machine(), ''),
            ('', '3.1', platform.machine(), 'is not CPython 3.1'),
            ('', MINOR, 'z80', f'is for {platform.machine()}'),
            (
                'platform.python_implementation = lambda: "PyPy"',
                MINOR,
                platform.machine(),
                f'is not CPython {MINOR}',
            ),
            (
                'sysconfig.get_path = lambda _: "/nowhere"',
                MINOR,
                platform.machine(),
                'has no C headers',
            ),
        ],
    )
    def test_python_is_used_only_when_it_can_build_for_this_machine(
        self, change: str, minor: str, machine: str, reason: str, tmp_path: Path
    ) -> None:
        headers = tmp_path / 'include'
        headers.mkdir()
        (headers / 'Python.h').touch()
        code = f'import platform, sys, sysconfig; sysconfig.get_path = lambda _: "{headers}"'
        code += f'\n{change}\nexec(sys.argv.pop(1))'
        python = make_program(
            tmp_path / 'python', f'exec {sys.executable} -c \'{code}\' "$3" $4 $5'
        )
        assert tools.unfit_reason(python, minor, machine) == reason

    def test_passed_over_names_the_reason_when_the_wanted_version_is_unfit(
        self, tmp_path: Path
    ) -> None:
        path = make_program(tmp_path / 'python3.10', 'echo has no C headers')
        found = tools.find_python('3.10', 'x86_64', [(path, 'on PATH')])
        assert (found.is_found, found.passed_over) == (False, f'{path} has no C headers')

    def test_uv_provides_python_when_none_is_found(self) -> None:
        python = tools.find_python('3.10', 'x86_64', [])
        assert (python.request, python.is_found) == ('3.10', False)

    def test_pyenv_versions_are_tried_from_the_newest(self, tmp_path: Path) -> None:
        for version in ('3.10.9', '3.10.13', '3.11.7', '3.1.2'):
            (tmp_path / 'versions' / version).mkdir(parents=True)
        candidates = tools.python_candidates('3.10', '', tmp_path, tmp_path / '.venv')
        names = [Path(path).parent.parent.name for path, _ in candidates]
        assert names == ['3.10.13', '3.10.9']

    def test_active_environment_is_skipped_when_it_is_to_be_replaced(self, tmp_path: Path) -> None:
        make_program(tmp_path / '.venv/bin/python3.10', 'exit 0')
        other = make_program(tmp_path / 'bin/python3', 'exit 0')
        search_path = f'{tmp_path}/.venv/bin:{tmp_path}/bin'
        candidates = tools.python_candidates('3.10', search_path, tmp_path, tmp_path / '.venv')
        assert [path for path, _ in candidates] == [other]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty at first."""
    monkeypatch.setenv('PATH', str(tmp_path))
    return tmp_path


class TestCheckCompiler:
    def test_nothing_is_installed_when_there_is_no_compiler(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        programs: Path,
    ) -> None:
        monkeypatch.setattr(stacks, 'detect_host', lambda: DEBIAN_12)
        monkeypatch.setattr(set_up, 'STAMP', programs / 'no-stamp.json')
        monkeypatch.setattr(set_up, '_make_venv', lambda *_: pytest.fail('made .venv'))
        monkeypatch.delenv('CXX', raising=False)
        monkeypatch.delenv('STACK', raising=False)
        assert set_up.main(['install']) == 6
        message = capsys.readouterr().err
        assert message.startswith('error: no C++ compiler works (tried c++, g++)')
        assert message.count('\n') == 1

    def test_compiler_is_refused_when_it_fails(self, programs: Path) -> None:
        make_program(programs / 'c++', 'exit 1')
        with pytest.raises(SetUpError, match=r'no C\+\+ compiler works'):
            tools.check_compiler()

    def test_compiler_named_by_cxx_is_used(self, programs: Path) -> None:
        mine = make_program(programs / 'mine', 'exit 0')
        tools.check_compiler(preferred=f'{mine} -m64')


class TestFindUv:
    def test_uv_on_path_is_used_when_it_is_recent(self, programs: Path) -> None:
        uv = make_program(programs / 'uv', 'echo "uv 99.1.2 (linux)"')
        assert tools.find_uv([]) == uv

    @pytest.mark.parametrize('script', ['echo "uv 0.7.22 (linux)"', 'exit 127'])
    def test_error_names_what_to_install_when_there_is_neither_a_recent_uv_nor_pip(
        self, script: str, monkeypatch: pytest.MonkeyPatch, programs: Path
    ) -> None:
        make_program(programs / 'uv', script)
        python = make_program(programs / 'python3', 'echo "No module named $2" >&2; exit 1')
        monkeypatch.setattr(tools, 'UV_DIR', programs / '.uv')
        with pytest.raises(SetUpError, match=r'no recent uv.* No module named pip;.*venv'):
            tools.find_uv([python])
        assert not (programs / '.uv').exists()

    def test_pinned_uv_is_reused_when_it_is_installed(
        self, monkeypatch: pytest.MonkeyPatch, programs: Path
    ) -> None:
        pinned = re.match(r'uv==(\S+) ', (ROOT / tools.UV_LOCK).read_text())
        assert pinned
        uv = make_program(programs / '.uv/bin/uv', f'echo "uv {pinned.group(1)} (linux)"')
        monkeypatch.setattr(tools, 'UV_DIR', programs / '.uv')
        assert tools.find_uv([]) == uv


class FakeMachine:
    """Replaces uv, and records its calls."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made_venv = 0
        self.synced: list[list[str]] = []
        self.python = '3.10.13'
        self.hashes: dict[str, str] = {}
        self.sync_fails = False
        self.host = DEBIAN_12
        self.stamp = folder / 'set-up.json'
        monkeypatch.delenv('STACK', raising=False)
        monkeypatch.setattr(set_up, 'STAMP', self.stamp)
        monkeypatch.setattr(set_up, '_venv_version', lambda: self.python)
        monkeypatch.setattr(set_up, '_make_venv', self._make_venv)
        monkeypatch.setattr(set_up, '_sync', self._sync)
        monkeypatch.setattr(set_up, 'file_hash', lambda name: self.hashes.get(name, name))
        monkeypatch.setattr(set_up, '_find_python', lambda *_: tools.Python('/python', 'here'))
        monkeypatch.setattr(stacks, 'detect_host', lambda: self.host)
        monkeypatch.setattr(tools, 'check_compiler', lambda *_: None)
        monkeypatch.setattr(tools, 'find_uv', lambda *_: '/uv')

    def _make_venv(self, *_: object) -> None:
        self.made_venv += 1

    def _sync(self, _: str, locks: list[str]) -> None:
        assert not self.stamp.exists()
        if self.sync_fails:
            raise SetUpError('no network')
        self.synced.append(locks)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    return FakeMachine(tmp_path, monkeypatch)


class TestStamp:
    def test_second_set_up_does_nothing_when_nothing_changed(self, machine: FakeMachine) -> None:
        assert [set_up.main(['install']) for _ in range(2)] == [0, 0]
        assert (machine.made_venv, machine.synced) == (1, [[OLD.lock]])

    def test_environment_is_recreated_when_the_last_set_up_failed(
        self, machine: FakeMachine
    ) -> None:
        machine.sync_fails = True
        assert set_up.main(['install']) == 6
        machine.sync_fails = False
        assert set_up.main(['install']) == 0
        assert machine.made_venv == 2

    def test_stamp_is_removed_when_an_update_fails(self, machine: FakeMachine) -> None:
        set_up.main(['install'])
        machine.hashes[OLD.lock] = 'changed'
        machine.sync_fails = True
        set_up.main(['install'])
        assert set_up.read_stamp(machine.stamp) is None

    def test_packages_are_synced_in_place_when_a_lock_changed(self, machine: FakeMachine) -> None:
        set_up.main(['install'])
        machine.hashes[OLD.lock] = 'changed'
        set_up.main(['install'])
        assert (machine.made_venv, len(machine.synced)) == (1, 2)

    @pytest.mark.parametrize('extra', stacks.EXTRAS)
    def test_extra_is_added_in_place_and_kept(self, extra: str, machine: FakeMachine) -> None:
        both = [OLD.lock, OLD.extra_lock(extra)]
        set_up.main(['install'])
        set_up.main(['install', f'--{extra}'])
        set_up.main(['install'])
        assert (machine.made_venv, machine.synced) == (1, [[OLD.lock], both])
        machine.hashes[OLD.lock] = 'changed'
        set_up.main(['install'])
        assert (machine.made_venv, machine.synced[2:]) == (1, [both])

    def test_extra_is_kept_when_another_is_added(self, machine: FakeMachine) -> None:
        set_up.main(['install', '--dev'])
        set_up.main(['install', '--bench'])
        both = [OLD.lock, OLD.extra_lock('bench'), OLD.extra_lock('dev')]
        assert (machine.made_venv, machine.synced) == (1, [[OLD.lock, OLD.extra_lock('dev')], both])

    def test_extras_are_installed_at_once_when_all_are_requested(
        self, machine: FakeMachine
    ) -> None:
        set_up.main(['install', '--dev', '--bench', '--cloud'])
        everything = [
            OLD.lock,
            OLD.extra_lock('bench'),
            OLD.extra_lock('cloud'),
            OLD.extra_lock('dev'),
        ]
        assert machine.synced == [everything]

    @pytest.mark.parametrize('python', ['', '3.10.14'])
    def test_environment_is_recreated_when_python_is_missing_or_different(
        self, python: str, machine: FakeMachine
    ) -> None:
        set_up.main(['install'])
        machine.python = python
        set_up.main(['install'])
        assert machine.made_venv == 2

    def test_environment_is_recreated_when_the_stack_changes(
        self, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine.host = DEBIAN_13
        set_up.main(['install'])
        monkeypatch.setenv('STACK', '1.16')
        set_up.main(['install'])
        assert (machine.made_venv, machine.synced) == (2, [[NEW.lock], [OLD.lock]])

    def test_environment_is_recreated_when_the_checkout_moved(self, machine: FakeMachine) -> None:
        set_up.main(['install'])
        content = json.loads(machine.stamp.read_text())
        machine.stamp.write_text(json.dumps({**content, 'root': '/elsewhere'}))
        set_up.main(['install'])
        assert machine.made_venv == 2

    @pytest.mark.parametrize('content', ['', '{"stack": "1.16', '[]', '{}', '{"locks": 1}'])
    def test_stamp_is_none_when_it_cannot_be_read(self, content: str, tmp_path: Path) -> None:
        (tmp_path / 'stamp').write_text(content)
        assert set_up.read_stamp(tmp_path / 'stamp') is None
