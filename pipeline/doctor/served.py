"""Checks whether the pushed versions are complete, and whether the live one can be served."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator

from components.common.errors import StoreError
from components.common.model_versions import digest_of_model, recorded_digest
from components.smoke_test.run import SmokeTestError, smoke_test
from pipeline.doctor.finding import Checks, Context, Finding
from pipeline.models import versions


def _check_versions(context: Context) -> Iterator[Finding]:
    folder = context.serving_dir
    found = versions.versions(folder)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        remove = f'rm -r {shlex.quote(str(path))}'
        if path.name.isdecimal() and path not in found:
            message = f'{path} has no saved_model.pb: model servers ignore it'
            yield Finding('version', message, remove)
        elif path.name.startswith('.') and path.name.endswith('.part'):
            message = f'unless a push is active, {path} is left over from an incomplete push'
            yield Finding('leftover', message, remove)
    live = f'; {found[-1].name} is live' if found else ''
    yield Finding('versions', f'{len(found):,} in {folder}{live}')


def _check_live_version(context: Context) -> Iterator[Finding]:
    live = versions.live_version(context.serving_dir)
    if live is None:
        return
    hint = (
        f'rm -r {shlex.quote(str(live))}: the previous version is then live, and the next run '
        'pushes the model again'
    )
    started = time.monotonic()
    try:
        expected, found = recorded_digest(str(live)), digest_of_model(str(live))
        if expected is None:
            message = f'{live} has no recorded digest: its files cannot be verified'
            yield Finding('digest', message, 'no action is needed: the next version has one')
        elif expected != found:
            raise StoreError(f'the files of {live} differ from those pushed', hint=hint)
        else:
            yield Finding('files', f'{live.name} has the SHA-256 digest that was recorded')
        smoke_test(str(live), must_explain=False)
    except (OSError, SmokeTestError) as err:
        raise StoreError(f'{live} cannot be served: {err}', hint=hint) from err
    yield Finding('scores', f'smoke test passed in {time.monotonic() - started:.1f} s')


CHECKS: Checks = {'versions': _check_versions, 'live version': _check_live_version}
