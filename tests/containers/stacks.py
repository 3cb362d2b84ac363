"""Both stacks on the same data: the older one here, the newer one in containers of the image.

`make stacks` does it on IMDB, for README's table.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys

from benchmarks.archive import find_archive
from benchmarks.stacks.exchange import own_name
from benchmarks.stacks.table import STACKS_FILE
from components.errors import ComponentError, DataError
from requirements.stacks import NEW, OLD
from tests.conftest import REPO
from tests.containers.base_image import provide_base_image
from tests.containers.conftest import IMAGE, LABEL
from tests.containers.engine import Engine, EngineError, prepared_engine, say


def exchange(engine: Engine, image: str, folder: pathlib.Path, data: pathlib.Path) -> None:
    """Have both stacks run, compile and score the same, and leave it all in a folder.

    Args:
        engine: It has the image.
        image: With the newer stack.
        folder: What both leave, see `benchmarks.stacks.exchange`.
        data: What both learn from.

    Raises:
        EngineError: If this machine has not the older stack, or a command fails.
    """
    if own_name() != f'tfx-{OLD.name}':
        raise EngineError(
            f'this Python has {own_name()}, and the image too: to compare them,'
            f' have TFX {OLD.tfx} here, with: make setup STACK={OLD.name}'
        )
    folder.mkdir(parents=True, exist_ok=True)
    there = pathlib.Path('/data') / data.name

    def on_older(command: str, *arguments: str) -> None:
        say(f'TFX {OLD.tfx}, here: {command}')
        stacks = [sys.executable, '-m', 'benchmarks', 'stacks', command, str(folder)]
        engine.run_visibly(*stacks, *arguments, cwd=REPO)

    def on_newer(command: str, *arguments: str) -> None:
        say(f'TFX {NEW.tfx}, in a container: {command}')
        # The image has no benchmarks; the steps' own code is taken from the checkout, too, so that
        # both stacks run the same.
        mounts = [f'--volume={REPO}:/checkout:ro', f'--volume={folder}:/exchange']
        mounts += [f'--volume={data}:{there}:ro', '--workdir=/checkout', '--env=HOME=/tmp']
        run = [engine.name, 'run', '--rm', f'--label={LABEL}', f'--user={_user(engine)}', *mounts]
        stacks = ['python', '-m', 'benchmarks', 'stacks', command, '/exchange']
        engine.run_visibly(*run, image, *stacks, *arguments)

    on_older('measure', '--data', str(data))
    on_newer('measure', '--data', str(there))
    on_newer('score')
    on_older('score')


def compare(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Judge what both have left; the command fails if they differ more than they may."""
    stacks = [sys.executable, '-m', 'benchmarks', 'stacks', 'compare', str(folder)]
    return subprocess.run(
        [*stacks, *arguments], cwd=REPO, capture_output=True, text=True, check=False
    )


def _user(engine: Engine) -> str:
    """Return who owns what a container writes: with podman, its root is who runs it."""
    return '0:0' if engine.name == 'podman' else f'{os.getuid()}:{os.getgid()}'


def main() -> int:
    """Compare on IMDB, and bring README's table up to date."""
    parser = argparse.ArgumentParser(prog='python -m tests.containers.stacks')
    parser.add_argument('--data', help='the IMDB archive')
    try:
        data = find_archive(parser.parse_args().data)
        with prepared_engine(IMAGE, LABEL) as engine:
            provide_base_image(engine)
            say('make image: some minutes')
            engine.run_visibly('make', '--no-print-directory', 'image', f'IMAGE={IMAGE}', cwd=REPO)
            folder = engine.folder / 'stacks'
            exchange(engine, IMAGE, folder, data)
            done = compare(folder, '--output', str(STACKS_FILE))
    except (DataError, EngineError) as err:
        print(f'error: {err}', file=sys.stderr)
        return DataError.exit_code if isinstance(err, DataError) else ComponentError.exit_code
    print(done.stdout + done.stderr, end='')
    table = [sys.executable, '-m', 'benchmarks', 'table']
    subprocess.run(table, cwd=REPO, stdout=subprocess.DEVNULL, check=True)
    return done.returncode


if __name__ == '__main__':
    sys.exit(main())
