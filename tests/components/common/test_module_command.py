from __future__ import annotations

import pathlib
import subprocess

import pytest

from components.common.module_command import module_command


def test_module_is_that_of_the_project_when_the_current_folder_has_one_of_its_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'components').mkdir()
    (tmp_path / 'components' / '__init__.py').write_text('raise SystemExit("not ours")')
    monkeypatch.delenv('PYTHONPATH', raising=False)
    done = subprocess.run(
        module_command('components.common.entry_point', '--help'),
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    # The module gets its own arguments.
    assert '--json_serialized_invocation_args' in done.stdout
    assert done.returncode == 0, done.stderr
