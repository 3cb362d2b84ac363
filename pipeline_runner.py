#!/usr/bin/env python3
"""The command line: run a command, and turn its result into an exit code.

Nothing heavy is imported until a command needs it.
"""

from __future__ import annotations

import errno
import os
import sys

from components.common.errors import ConfigError, DataError, MissingDependencyError, ReviewsError

try:
    import click
except ImportError:
    sys.stderr.write(
        'error: click is not installed in this Python; '
        'run `make setup`, then use .venv/bin/python\n'
    )
    sys.exit(MissingDependencyError.exit_code)

from components.common.secrets import mask, secret_scope
from pipeline.cli.main import main
from pipeline.process import signals

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _exit_code(args: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    with secret_scope():
        try:
            main.main(args=args, prog_name='pipeline_runner.py', standalone_mode=False)
        except (Exception, KeyboardInterrupt) as err:
            # click and other libraries raise errors of their own in place of the interrupt.
            if isinstance(err, click.Abort) or signals.interrupt_cause(err) is not None:
                click.echo(signals.final_message(), err=True)
                return signals.exit_code()
            return _print_error(err)
    return 0


def _print_error(error: Exception | KeyboardInterrupt) -> int:
    """Print an error that the user can act on and return its exit code; raise any other."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show()
        return ConfigError.exit_code
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        message = f'cannot write {error.filename or "the output"}: {error.strerror}'
        lost = DataError(message, hint='free some space, or write elsewhere')
        # The output may be that of a failure, which matters more.
        error = error.__context__ if isinstance(error.__context__, ReviewsError) else lost
    if isinstance(error, ReviewsError):
        click.echo(mask(f'error: {error}' + (f'; {error.hint}' if error.hint else '')), err=True)
        if error.report:
            click.echo(f'report: {error.report}', err=True)
        if error.log:
            click.echo(f'log: {error.log}', err=True)
        return error.exit_code
    if isinstance(error, ModuleNotFoundError):
        click.echo(f'error: {error}; run `make setup`, then use .venv/bin/python', err=True)
        return MissingDependencyError.exit_code
    raise error


def _flush_output(code: int) -> int:
    """Write what is left of standard output; return the exit code, or that of a failure."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # as if `head` ended, which is not worth a message
        return code or 1
    except OSError as err:
        return code or _print_error(err)
    return code


if __name__ == '__main__':
    code = _flush_output(signals.exit_on_signal(_exit_code))
    sys.stderr.flush()
    # All files are closed. An orderly shutdown of TensorFlow would take 2 s more.
    os._exit(code)
