from __future__ import annotations

import importlib.metadata
import json
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

import components
from components.common.fingerprint import code_fingerprint

ROOTS = {
    'components.example_gen.executor',
    'components.example_validator.executor',
    'components.transform.preprocessing',
    'components.trainer.run',
    'components.trainer.models.tutorial.model',
    'components.evaluator.tfma.metrics',
    'components.pusher.executor',
    'components.relative',
}
# Relative imports, which no module of this project has so far.
RELATIVE = 'def late():\n    from .transform import text\n    from .common import progress\n'
# Prints the digest of each root, before and after each file was edited.
SCRIPT = """
import json, pathlib, sys
from components.common.fingerprint import code_fingerprint
roots = sys.argv[1].split(',')
edits = sys.argv[2].split(',')
digests = {'': {root: code_fingerprint(root) for root in roots}}
for edit in edits:
    path = pathlib.Path('components', edit)
    content = path.read_bytes()
    path.write_bytes(content + b'# edited')
    digests[edit] = {root: code_fingerprint(root) for root in roots}
    path.write_bytes(content)
print(json.dumps({'digests': digests, 'loaded': sorted(sys.modules)}))
"""
TRAINERS = {'components.trainer.run', 'components.trainer.models.tutorial.model'}
EDITS: dict[str, set[str]] = {
    'transform/text.py': TRAINERS | {'components.transform.preprocessing', 'components.relative'},
    'trainer/run.py': {'components.trainer.run'},
    'trainer/serving.py': TRAINERS,
    'trainer/models/__init__.py': TRAINERS,
    # pipeline/create.py adds this module by its name.
    'trainer/models/tutorial/model.py': {'components.trainer.models.tutorial.model'},
    'trainer/models/tutorial/settings.py': {'components.trainer.models.tutorial.model'},
    'trainer/models/ngram/model.py': set(),
    'evaluator/tfma/metrics.py': {'components.evaluator.tfma.metrics'},
    # The Pusher reads the evaluation for its card.
    'evaluator/evaluation.py': {'components.pusher.executor'},
    'pusher/executor.py': {'components.pusher.executor'},
    'readers/tables.py': {'components.example_gen.executor'},
    # Nodes with Beam say what a job waits for.
    'common/progress.py': TRAINERS | {'components.example_gen.executor', 'components.relative'},
    # Nodes that count examples raise errors if some are missing.
    'common/errors.py': {
        'components.evaluator.tfma.metrics',
        'components.example_gen.executor',
        'components.example_validator.executor',
        'components.pusher.executor',
        *TRAINERS,
    },
    # A file that runs in another process.
    'smoke_test/process.py': {'components.pusher.executor'},
    'common/settings.py': {
        'components.example_gen.executor',
        'components.transform.preprocessing',
        *TRAINERS,
    },
    'trainer/component.py': set(),
    'common/fingerprint.py': set(),
}


@pytest.fixture(scope='module')
def edited(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the output of SCRIPT for a copy of the package."""
    folder = tmp_path_factory.mktemp('copy')
    package = folder / 'components'
    shutil.copytree(pathlib.Path(components.__file__).parent, package)
    (package / 'relative.py').write_text(RELATIVE)
    command = [sys.executable, '-c', SCRIPT, ','.join(sorted(ROOTS)), ','.join(EDITS)]
    done = subprocess.run(
        command, cwd=folder, env={}, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize('edit', EDITS)
def test_digest_changes_when_a_module_that_is_imported_is_edited(edit: str, edited: Any) -> None:
    before, after = edited['digests'][''], edited['digests'][edit]
    assert {root for root in ROOTS if before[root] != after[root]} == EDITS[edit]


def test_digest_is_equal_when_the_package_is_in_another_folder(edited: Any) -> None:
    known = ROOTS - {'components.relative'}
    assert {root: edited['digests'][''][root] for root in known} == {
        root: code_fingerprint(root) for root in known
    }


def test_no_module_is_executed_when_its_imports_are_read(edited: Any) -> None:
    assert not {'keras', 'tensorflow', 'tfx', 'pydantic'} & set(edited['loaded'])


def test_digest_is_equal_when_modules_are_in_another_order_or_repeated() -> None:
    one, other = 'components.common.features', 'components.common.progress'
    digests = [code_fingerprint(*m) for m in [(one, other), (other, one, one), (one,), ()]]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)


@pytest.mark.parametrize(
    'package', ['tfx', 'tensorflow', 'tensorflow-transform', 'tensorflow-model-analysis']
)
def test_digest_changes_when_the_version_of_a_package_does(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_fingerprint()
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, 'version', lambda name: '0.0' if name == package else version(name)
    )
    assert code_fingerprint() != before


@pytest.mark.parametrize('name', ['components.no_such', 'components.common.features.no_such'])
def test_module_is_refused_when_it_does_not_exist(name: str) -> None:
    with pytest.raises(ValueError, match=f"expected a module of components, got '{name}'"):
        code_fingerprint(name)
