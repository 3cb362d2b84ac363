"""Tests the pipeline on real engines, Apache Flink and Apache Spark, on this machine.

Downloads them with Maven, then starts pytest: see docs/engine.md.
"""

from __future__ import annotations

import os
import sys

from components.common.errors import ReviewsError
from tests.conftest import REPO
from tests.engine import jars


def main() -> int:
    try:
        jars.require_programs()
        for engine in jars.ENGINES:
            jars.download(engine)
    except ReviewsError as err:
        hint = f'; {err.hint}' if err.hint else ''
        print(f'error: {err}{hint}.', file=sys.stderr)
        return err.exit_code
    os.chdir(REPO)
    # The slow ones are part of make proof.
    tests = 'engine and slow' if '--imdb' in sys.argv else 'engine and not slow'
    pytest = [sys.executable, '-m', 'pytest', '--capture=sys', '-m', tests]
    selected = any(argument.startswith('tests/') for argument in sys.argv)
    paths = [] if selected else ['tests/engine']
    os.execv(sys.executable, [*pytest, *sys.argv[1:], *paths])


if __name__ == '__main__':
    sys.exit(main())
