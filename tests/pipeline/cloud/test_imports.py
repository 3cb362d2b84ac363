"""Clients and frameworks are imported only by the functions that need them."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import REPO

IMPORT_ALL = """
import importlib, pkgutil, sys
before = set(sys.modules)
import pipeline.cloud
import components.common.entry_point
found = pkgutil.walk_packages(pipeline.cloud.__path__, 'pipeline.cloud.')
names = [module.name for module in found]
for name in names:
    importlib.import_module(name)
# Without what a Python that starts has imported already.
print(len(names), *set(sys.modules) - before)
"""
HEAVY = {'kfp', 'kfp_server_api', 'google', 'tfx', 'tensorflow', 'apache_beam', 'ml_metadata'}


def test_no_client_and_no_framework_is_imported_when_our_modules_are() -> None:
    done = subprocess.run(
        [sys.executable, '-c', IMPORT_ALL],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, *modules = done.stdout.split()
    assert int(count) > 20
    assert sorted(HEAVY.intersection(modules)) == []
