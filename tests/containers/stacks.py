"""Both stacks on the same data: the older one here, the newer one in containers of the image.

`make stacks` does it on IMDB, for README's table. What is compared, and how, is in
`benchmarks/stacks/`; this is here because an engine that leaves nothing behind is.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import subprocess
import sys

from benchmarks.archive import ROOT, find_archive
from benchmarks.stacks.exchange import own_name
from benchmarks.stacks.table import STACKS_FILE
from components.common.errors import INTERRUPTED_EXIT_CODE, MissingDependencyError, ReviewsError
from pipeline.process.signals import Terminated
from requirements.stacks import NEW, OLD
from tests.containers import ending
from tests.containers.base_image import provide_base_image
from tests.containers.engine import IMAGE, LABEL, Engine, EngineError, prepared_engine, say


def exchange(engine: Engine, image: str, folder: pathlib.Path, data: pathlib.Path) -> None:
    """Have both stacks run, compile and score the same, and leave it all in a folder.

    Args:
        engine: It has the image.
        image: With the newer stack.
        folder: What both leave, see `benchmarks.stacks.exchange`.
        data: What both learn from.

    Raises:
        EngineError: If a command fails.
        MissingDependencyError: If this machine has not the older stack.
    """
    require_older()
    folder.mkdir(parents=True, exist_ok=True)
    there = pathlib.Path('/data') / data.name

    def on_older(command: str, *arguments: str) -> None:
        say(f'TFX {OLD.tfx}, here: {command}')
        stacks = [sys.executable, '-m', 'benchmarks', 'stacks', command, str(folder)]
        engine.run_visibly(*stacks, *arguments, cwd=ROOT)

    def on_newer(command: str, *arguments: str) -> None:
        say(f'TFX {NEW.tfx}, in a container: {command}')
        # The image has no benchmarks; the steps' own code is taken from the checkout, too, so that
        # both stacks run the same.
        mounts = [f'--volume={ROOT}:/checkout:ro', f'--volume={folder}:/exchange']
        mounts += [f'--volume={data}:{there}:ro', '--workdir=/checkout', '--env=HOME=/tmp']
        run = [engine.name, 'run', '--rm', f'--label={LABEL}', f'--user={_user(engine)}', *mounts]
        stacks = ['python', '-m', 'benchmarks', 'stacks', command, '/exchange']
        engine.run_visibly(*run, image, *stacks, *arguments)

    on_older('measure', '--data', str(data))
    on_newer('measure', '--data', str(there))
    on_newer('score')
    on_older('score')


def require_older() -> None:
    """Check that this machine has the stack that the image has not.

    Raises:
        MissingDependencyError: If not.
    """
    if own_name() != f'tfx-{OLD.name}':
        raise MissingDependencyError(
            f'this Python has {own_name()}, as the image has: to compare them, it must have'
            f' TFX {OLD.tfx}',
            hint=f'make stacks STACK={OLD.name}',
        )


def compare(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Judge what both have left; the command fails if they differ more than they may."""
    stacks = [sys.executable, '-m', 'benchmarks', 'stacks', 'compare', str(folder)]
    output = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
    return ending.run([*stacks, *arguments], cwd=ROOT, **output)


def _user(engine: Engine) -> str:
    """Return who owns what a container writes: with podman, its root is who runs it."""
    return '0:0' if engine.name == 'podman' else f'{os.getuid()}:{os.getgid()}'


def compare_on(archive: str | None) -> int:
    """Compare on IMDB, and bring README's table up to date if they agree.

    Args:
        archive: IMDB's; none: the one that is found.

    Returns:
        The exit code: of the comparison, 3 if they differ more than they may.

    Raises:
        EngineError: If there is no engine, or a command fails.
        ReviewsError: If the archive is not there, or this machine has not the older stack.
    """
    # First what is quickly told.
    require_older()
    data = find_archive(archive)
    with prepared_engine(IMAGE, LABEL) as engine:
        provide_base_image(engine)
        say('make image: some minutes')
        engine.run_visibly('make', '--no-print-directory', 'image', f'IMAGE={IMAGE}', cwd=ROOT)
        folder = engine.folder / 'stacks'
        exchange(engine, IMAGE, folder, data)
        done = compare(folder, '--output', str(STACKS_FILE))
    print(done.stdout + done.stderr, end='')
    if done.returncode:
        return done.returncode
    table = [sys.executable, '-m', 'benchmarks', 'table']
    return ending.run(table, cwd=ROOT, stdout=subprocess.DEVNULL).returncode


def main() -> int:
    """Run the command, and return what the shell is told."""
    parser = argparse.ArgumentParser(prog='python -m tests.containers.stacks')
    parser.add_argument('--data', help='the IMDB archive')
    options = parser.parse_args()
    try:
        return compare_on(options.data)
    except (EngineError, ReviewsError) as err:
        hint = f'; {err.hint}' if isinstance(err, ReviewsError) and err.hint else ''
        print(f'error: {err}{hint}', file=sys.stderr)
        return err.exit_code
    except Terminated:
        print('terminated', file=sys.stderr)
        return 128 + signal.SIGTERM
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return INTERRUPTED_EXIT_CODE


if __name__ == '__main__':
    sys.exit(main())
