"""`setup.py` declares each package that the code imports."""

from __future__ import annotations

import ast
import re
import runpy
import sys

from tests.conftest import REPO

_DECLARED = runpy.run_path(str(REPO / 'setup.py'))
# Import names that differ from the package's.
_PACKAGES = {
    'apache_beam': 'apache-beam',
    'google.api_core': 'google-cloud-aiplatform',
    'google.auth': 'google-cloud-aiplatform',
    'google.cloud': 'google-cloud-aiplatform',
    'google.protobuf': 'protobuf',
    'google_crc32c': 'google-crc32c',
    'grpc': 'apache-beam',
    'kfp_server_api': 'kfp',
    'ml_metadata': 'ml-metadata',
    'pymysql': 'PyMySQL',
    'sklearn': 'scikit-learn',
    'tensorflow_data_validation': 'tensorflow-data-validation',
    'tensorflow_metadata': 'tensorflow-metadata',
    'tensorflow_model_analysis': 'tensorflow-model-analysis',
    'tensorflow_transform': 'tensorflow-transform',
    'tfx_bsl': 'tfx-bsl',
    'urllib3': 'requests',
    'vl_convert': 'vl-convert-python',
    'yaml': 'pyyaml',
}


def imports() -> dict[str, str]:
    """Return a file of this project that imports it, for each package."""
    found = {}
    for folder in ('components', 'pipeline', 'data'):
        for path in (REPO / folder).rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and not node.level:
                    names = [f'{node.module}.{node.names[0].name}']
                for name in names:
                    parts = name.split('.')
                    found['.'.join(parts[: 1 + (parts[0] == 'google')])] = str(path)
    return found


def names(*lists: str) -> set[str]:
    lines = [line for name in lists for line in _DECLARED[name]]
    return {line.split(';')[0].split('=')[0].split('>')[0].split('<')[0] for line in lines}


def test_each_import_is_declared() -> None:
    declared = names('INSTALL_REQUIRES', 'KUBEFLOW_REQUIRES', 'VERTEX_REQUIRES')
    ours = {'components', 'pipeline', 'data', *sys.stdlib_module_names}
    missing = {
        name: path
        for name, path in imports().items()
        if name not in ours and _PACKAGES.get(name, name) not in declared
    }
    assert missing == {}


def test_changelog_begins_with_the_version_of_the_package() -> None:
    versions = re.findall(
        r'^## \[(.*?)\]', (REPO / 'CHANGELOG.md').read_text('utf-8'), re.MULTILINE
    )
    (version,) = re.findall(r"version='(.*?)'", (REPO / 'setup.py').read_text('utf-8'))
    assert versions[0] == version
