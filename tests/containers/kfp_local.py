"""Runs a compiled pipeline with KFP's own local runner, each step in a container.

This is a separate program because its environment has kfp, but not TFX. The exit code is
1 if a step failed. The last line of the output describes the containers as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from docker.models.containers import Container, ContainerCollection
from kfp import components, local


def keep_containers(made: list[Container]) -> None:
    """Keep each container until its exit code has been read, and add it to a list.

    kfp removes the containers at once. When it asks for the exit code, it finds no
    container, and reports success: kubeflow/pipelines#13332. Remove this function when
    that is fixed.
    """
    run = ContainerCollection.run

    def run_and_keep(self: ContainerCollection, *args: Any, **kwargs: Any) -> Container:
        container = run(self, *args, **{**kwargs, 'auto_remove': False})
        made.append(container)
        return container

    ContainerCollection.run = run_and_keep


def describe(container: Container) -> dict[str, Any]:
    """Return the image, the user and the exit code of a container."""
    container.reload()
    attributes = container.attrs
    return {
        'id': container.id,
        'image': attributes['Config']['Image'],
        'user': attributes['Config']['User'],
        'exit_code': attributes['State']['ExitCode'],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('spec', help='PipelineSpec as YAML')
    parser.add_argument('--root', required=True, help='folder that the steps can read and write')
    parser.add_argument('--label', required=True, help='label of the containers')
    parser.add_argument(
        '--parameters', type=json.loads, default={}, help='run-time parameters as a JSON object'
    )
    options = parser.parse_args()
    made: list[Container] = []
    keep_containers(made)
    local.init(local.DockerRunner(labels={options.label: ''}), pipeline_root=options.root)
    pipeline = components.load_component_from_file(options.spec)
    code = 0
    try:
        pipeline(**options.parameters)
    except RuntimeError as err:
        print(err, file=sys.stderr)
        code = 1
    finally:
        ran = [describe(container) for container in made]
        for container in made:
            container.remove(force=True)
    print(json.dumps(ran))
    return code


if __name__ == '__main__':
    sys.exit(main())
