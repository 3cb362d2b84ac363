"""Say what runs where: `python -m requirements.support` checks README's table, and prints it.

It asks uv whether all that is locked has wheels for each platform, which takes
the network and no such machine. That it runs there is another matter: the table
says where that was seen.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from requirements import lock, tools
from requirements.stacks import STACKS, Host, SetUpError, choose_stack


class Platform(NamedTuple):
    """A system that people have.

    Attributes:
        name: As they call it.
        host: What set-up finds there.
        wheels: What uv calls it.
        run: What was run on it; empty where all that is known is that the
            packages are there.
    """

    name: str
    host: Host
    wheels: str
    run: str = ''


PLATFORMS = (
    Platform('Ubuntu 22.04', Host('Linux', 'x86_64', (2, 35)), 'x86_64-manylinux_2_35'),
    Platform(
        'Debian 12',
        Host('Linux', 'x86_64', (2, 36)),
        'x86_64-manylinux_2_36',
        'run: all tests and proofs (`.ci/run`)',
    ),
    Platform('Ubuntu 24.04', Host('Linux', 'x86_64', (2, 39)), 'x86_64-manylinux_2_39'),
    Platform(
        'Debian 13',
        Host('Linux', 'x86_64', (2, 41)),
        # The newest that uv knows.
        'x86_64-manylinux_2_40',
        'run, in containers: all tests and `make run` (`make test-current`), the compiled'
        ' pipeline (`make test-containers`)',
    ),
    Platform(
        'other Linux on x86-64, with glibc 2.28 to 2.38',
        Host('Linux', 'x86_64', (2, 28)),
        'x86_64-manylinux_2_28',
    ),
    Platform(
        'other Linux on x86-64, with glibc 2.39 or newer',
        Host('Linux', 'x86_64', (2, 39)),
        'x86_64-manylinux_2_39',
    ),
    Platform('macOS on Apple silicon', Host('Darwin', 'arm64', None), 'aarch64-apple-darwin'),
    Platform('macOS on Intel', Host('Darwin', 'x86_64', None), 'x86_64-apple-darwin'),
    # It has the kernel of a real Linux, and Ubuntu's own packages.
    Platform(
        'Windows, with Ubuntu 24.04 in WSL 2',
        Host('Linux', 'x86_64', (2, 39)),
        'x86_64-manylinux_2_39',
    ),
    Platform('Windows itself', Host('Windows', 'AMD64', None), 'x86_64-pc-windows-msvc'),
    Platform('Linux on ARM', Host('Linux', 'aarch64', (2, 39)), 'aarch64-manylinux_2_39'),
    Platform('Alpine Linux', Host('Linux', 'x86_64', None), 'x86_64-unknown-linux-musl'),
)


def table() -> str:
    """Return README's table, as `check` has found it to be right."""
    lines = ['| platform | Python | TFX | how it was checked |', '|---|---|---|---|']
    for platform in PLATFORMS:
        try:
            stack = choose_stack(platform.host).stack
        except SetUpError as err:
            lines.append(f'| {platform.name} | | not supported | {str(err).partition(";")[0]} |')
            continue
        how = platform.run or 'resolved only'
        lines.append(f'| {platform.name} | {stack.python} | {stack.tfx} | {how} |')
    return '\n'.join(lines)


def check(uv: str) -> list[str]:
    """Ask uv about each platform and stack.

    Args:
        uv: The uv to ask.

    Returns:
        A line for each that is not as set-up says: a platform that a stack is
        chosen for, and that has not all wheels of it; or one that none is chosen
        for, and that has.
    """
    wrong = []
    for platform in PLATFORMS:
        try:
            chosen = choose_stack(platform.host).stack
        except SetUpError:
            wrong += [
                f'{platform.name}: TFX {stack.tfx} has all wheels, and set-up refuses'
                for stack in STACKS.values()
                if not lock.missing_wheel(uv, stack, platform.wheels)
            ]
            continue
        reason = lock.missing_wheel(uv, chosen, platform.wheels)
        if reason:
            wrong.append(f'{platform.name}: TFX {chosen.tfx} is chosen, and {reason}')
    return wrong


def main() -> int:
    try:
        wrong = check(tools.find_uv([sys.executable]))
    except SetUpError as err:
        print(f'error: {err}.', file=sys.stderr)
        return err.exit_code
    for line in wrong:
        print(f'error: {line}', file=sys.stderr)
    print(table())
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
