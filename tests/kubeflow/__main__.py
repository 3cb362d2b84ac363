"""Tests the compiled pipeline on the code of Kubeflow Pipelines, without a cluster.

Builds that code, then starts pytest in namespaces of its own: see docs/cloud.md.
"""

from __future__ import annotations

import argparse
import os
import sys

from components.common.errors import ReviewsError
from tests.conftest import REPO
from tests.kubeflow import build, cloud_storage, namespaces


def main() -> int:
    parser = argparse.ArgumentParser(prog='make kubeflow', description=__doc__)
    parser.add_argument('source', help='checkout of kubeflow/pipelines, or an archive of one')
    parser.add_argument('--argo', default='', help='version of Argo Workflows, such as v4.0.5')
    parser.add_argument('arguments', nargs='*', help='arguments of pytest')
    options = parser.parse_args()
    try:
        source = build.find_source(options.source)
        build.require_programs()
        namespaces.require_programs()
        programs = build.build(source, options.argo)
        servers = build.install_servers()
    except ReviewsError as err:
        hint = f'; {err.hint}' if err.hint else ''
        print(f'error: {err}{hint}.', file=sys.stderr)
        return err.exit_code
    os.chdir(REPO)
    pytest = [sys.executable, '-m', 'pytest', '-m', 'kubeflow', '--capture=sys']
    return namespaces.run(
        [*pytest, *options.arguments, 'tests/kubeflow'],
        {
            **cloud_storage.ENVIRONMENT,
            'KFP_PROGRAMS': str(programs),
            'SERVERS': str(servers),
        },
    )


if __name__ == '__main__':
    sys.exit(main())
