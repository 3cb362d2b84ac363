"""`python -m components.beam_worker`: run a Beam worker, or a pool that starts workers."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

from components.common.errors import ReviewsError


def main(argv: Sequence[str]) -> int:
    """Run a command, and return its exit code.

    Args:
        argv: Name of the command and its options.
    """
    parser = argparse.ArgumentParser(prog='python -m components.beam_worker', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    boot = commands.add_parser('boot', help='Run a worker; runners call it through boot.sh.')
    boot.add_argument('--id', required=True, help='Name of the worker.')
    boot.add_argument('--provision_endpoint', required=True, help="Runner's provision service.")
    pool = commands.add_parser('pool', help='Start workers on request (EXTERNAL).')
    pool.add_argument('--port', type=int, default=50000, help='Port [default: 50000].')
    args, others = parser.parse_known_args(argv)
    # Of Google's clients, about the version of Python.
    warnings.simplefilter('ignore', FutureWarning)
    if args.command == 'boot':
        # Runners pass further options, with addresses that the provision service has too.
        from components.beam_worker.boot import run_worker

        run_worker(args.id, args.provision_endpoint)
        return 0
    if others:
        parser.error(f'unknown options: {" ".join(others)}')
    from components.beam_worker.pool import serve_pool

    try:
        serve_pool(args.port)
    except ReviewsError as err:
        print(f'error: {err}; {err.hint}.', file=sys.stderr)
        return err.exit_code
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
