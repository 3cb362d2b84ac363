"""A small compiled pipeline whose steps run without TFX, so that its tests are quick."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import yaml

from pipeline.cloud.compiled_pipeline import CompiledPipeline, Parameter
from pipeline.cloud.targets import Target
from pipeline.results.outcome import NodeResult

ROOTS: dict[Target, str] = {'kubeflow': 'minio://bucket/root', 'vertex': '/somewhere'}
SIZE = Parameter(name='size', default=3, description='size of the model')

# Reads an ExecutorInput, and writes outputs and an ExecutorOutput, as TFX's entry point does.
MAKE = """
import json, os, pathlib, sys
step = json.loads(sys.argv[1])
mounts = os.environ.get('OBJECT_STORE_MOUNTS', '')
def path(uri):
    return pathlib.Path(uri.replace('minio:/', mounts + '/minio'))
seen = {
    key: sorted(p.name for p in path(found['artifacts'][0]['uri']).rglob('*'))
    for key, found in step['inputs'].get('artifacts', {}).items()
}
made = {}
for key, found in step['outputs'].get('artifacts', {}).items():
    target = path(found['artifacts'][0]['uri'])
    target.mkdir(parents=True)
    (target / (key + '.txt')).write_text(json.dumps(step['inputs'].get('parameterValues', {})))
    made[key] = {'artifacts': [{'metadata': {'made': key, 'seen': seen, 'number': 1}}]}
report = {'artifacts': made, 'parameterValues': {}}
if len(sys.argv) > 2:
    report['parameterValues'][sys.argv[2]] = 'found'
pathlib.Path(step['outputs']['outputFile']).write_text(json.dumps(report))
print('made', sorted(made))
"""


@dataclasses.dataclass
class RecordedProgress:
    """Records what `ProgressLines` would show."""

    lines: list[str] = dataclasses.field(default_factory=list)

    def nodes_known(self, node_ids: Sequence[str]) -> None:
        self.lines.append(' '.join(node_ids))

    def node_started(self, index: int, total: int, node_id: str) -> None:
        self.lines.append(f'{index}/{total} {node_id}')

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        self.lines.append(f'{index}/{total} {result.id} {result.state} {result.note}'.strip())


def container(code: str = MAKE, *more: str) -> dict[str, Any]:
    return {
        'container': {
            'image': 'image:1',
            'command': ['python', '-c', code],
            'args': ['{{$}}', *more],
        }
    }


# First makes `data`; Second makes `model` of it, with the run-time parameter `size`.
_SPEC = """
schemaVersion: 2.1.0
pipelineInfo: {name: small}
root:
  inputDefinitions: {parameters: {size: {parameterType: NUMBER_INTEGER, defaultValue: 3}}}
  dag:
    tasks:
      Second:
        componentRef: {name: Second}
        cachingOptions: {enableCache: true}
        dependentTasks: [First]
        inputs:
          artifacts: {data: {taskOutputArtifact: {producerTask: First, outputArtifactKey: data}}}
          parameters: {size: {componentInputParameter: size}}
      First:
        componentRef: {name: First}
        cachingOptions: {enableCache: true}
        inputs: {parameters: {kind: {runtimeValue: {constant: small}}}}
components:
  First:
    executorLabel: first
    inputDefinitions: {parameters: {kind: {parameterType: STRING}}}
    outputDefinitions: {artifacts: {data: {artifactType: {instanceSchema: small.Data}}}}
  Second:
    executorLabel: second
    inputDefinitions:
      artifacts: {data: {artifactType: {instanceSchema: small.Data}}}
      parameters: {size: {parameterType: NUMBER_INTEGER}}
    outputDefinitions: {artifacts: {model: {artifactType: {instanceSchema: small.Model}}}}
"""


def spec() -> dict[str, Any]:
    """Return the PipelineSpec of the small pipeline."""
    found: dict[str, Any] = yaml.safe_load(_SPEC)
    found['deploymentSpec'] = {'executors': {'first': container(), 'second': container()}}
    return found


def compiled(
    target: Target, changed: dict[str, Any] | None = None, root: pathlib.Path | None = None
) -> CompiledPipeline:
    return CompiledPipeline(
        target=target,
        name='small',
        pipeline_root=str(root) if root and target == 'vertex' else ROOTS[target],
        spec=spec() if changed is None else changed,
        parameters={'size': SIZE},
    )
