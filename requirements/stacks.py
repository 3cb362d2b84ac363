"""The stacks of locked versions, and the choice between them for a machine."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

# Development tools, peers of the benchmarks, and clients of Kubeflow Pipelines and Vertex AI.
EXTRAS = ('dev', 'bench', 'cloud')


class SetUpError(Exception):
    """The set-up failed. The message is one line that says what to do.

    Attributes:
        exit_code: 6 if this machine lacks a program, 2 for a wrong setting.
    """

    def __init__(self, message: str, exit_code: int = 6) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Stack(NamedTuple):
    """A set of locked versions.

    Attributes:
        name: Minor version of TFX, as in the names of the lock files.
        tfx: Version of TFX.
        python: Minor version of Python.
        platforms: Platforms that the locks must have wheels for, as uv names them. The
            locks are compiled for the first one.
    """

    name: str
    tfx: str
    python: str
    platforms: tuple[str, ...]

    @property
    def lock(self) -> str:
        return f'requirements/tfx-{self.name}.txt'

    @property
    def locks(self) -> tuple[str, ...]:
        return (self.lock, *map(self.extra_lock, EXTRAS))

    def extra_lock(self, extra: str) -> str:
        return f'requirements/tfx-{self.name}-{extra}.txt'


OLD = Stack('1.16', '1.16.0', '3.10', ('x86_64-manylinux_2_28', 'x86_64-apple-darwin'))
NEW = Stack('1.21', '1.21.0', '3.11', ('x86_64-manylinux_2_39', 'aarch64-apple-darwin'))
STACKS = {stack.name: stack for stack in (OLD, NEW)}


class Host(NamedTuple):
    """Properties of a machine that decide the stack.

    Attributes:
        system: Value of `platform.system()`.
        machine: Value of `platform.machine()`.
        glibc: Major and minor version, None without glibc.
    """

    system: str
    machine: str
    glibc: tuple[int, int] | None


def detect_host() -> Host:
    try:
        libc = os.confstr('CS_GNU_LIBC_VERSION') or ''
    except (AttributeError, ValueError, OSError):
        libc = ''
    match = re.match(r'glibc (\d+)\.(\d+)', libc)
    glibc = (int(match.group(1)), int(match.group(2))) if match else None
    return Host(platform.system(), platform.machine(), glibc)


def possible_stacks(host: Host) -> tuple[list[Stack], str]:
    """Return the stacks that load on a machine, the best first, and the reason.

    Raises:
        SetUpError: No stack loads.
    """
    if host.system == 'Darwin' and host.machine == 'arm64':
        return [NEW], 'TFX 1.16 has no wheels for Apple silicon'
    if host.system == 'Darwin' and host.machine == 'x86_64':
        return [OLD], 'TFX 1.21 has no wheels for Intel Macs'
    if host.system != 'Linux':
        raise SetUpError(
            f'TFX has no wheels for {host.system} on {host.machine}; use macOS or Linux,'
            ' for example in WSL or a virtual machine'
        )
    if host.machine != 'x86_64':
        raise SetUpError(f'TFX has no wheels for Linux on {host.machine}, only for x86_64')
    if host.glibc is None:
        raise SetUpError(
            'TFX has no wheels for a Linux without glibc (Alpine and other musl systems);'
            ' use a distribution with glibc 2.28 or newer, such as Debian or Ubuntu'
        )
    found = '{}.{}'.format(*host.glibc)
    # TFX 1.16 itself needs 2.17, but the wheels of h5py, optree, pillow and pyzmq need 2.28.
    if host.glibc < (2, 28):
        raise SetUpError(
            f'glibc is {found} here, and the packages need 2.28 or newer; use a newer'
            ' distribution, such as Debian 10 or Ubuntu 20.04 and later'
        )
    if host.glibc < (2, 39):
        return [OLD], f'glibc {found} is older than the 2.39 that TFX 1.21 needs'
    return [NEW, OLD], f'glibc {found} is new enough; TFX 1.21 needs 2.39'


def choose_stack(host: Host, wanted: str = '') -> tuple[Stack, str]:
    """Choose the stack for a machine; return it and the reason.

    Args:
        host: The machine.
        wanted: Name of the requested stack; empty for the best one.

    Raises:
        SetUpError: No stack works on this machine, or the requested one does not.

    Example:
        >>> choose_stack(Host('Linux', 'x86_64', (2, 36)))[0].tfx
        '1.16.0'
    """
    if wanted and wanted not in STACKS:
        raise SetUpError(f'STACK is {wanted!r}; it must be one of {", ".join(STACKS)}', 2)
    stacks, reason = possible_stacks(host)
    if not wanted:
        return stacks[0], reason
    if STACKS[wanted] not in stacks:
        raise SetUpError(f'STACK={wanted} cannot work here: {reason}; unset STACK')
    return STACKS[wanted], f'requested with STACK={wanted}'
