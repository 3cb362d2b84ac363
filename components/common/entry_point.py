"""The command of a step on Kubeflow Pipelines: prepares the step, then runs TFX's command.

The backend of Kubeflow Pipelines and TFX's entry point disagree in seven points:

- The backend passes artifacts without a type, or with a wrong one. TFX chooses a class
  by the type, so this module takes it from the interface of the component.
- The backend adds inputs and outputs that the component does not have, such as the output
  `executor-logs` (backend/src/v2/driver/driver.go, 2.5 and later). TFX fails at artifacts
  that are not its own. This module drops them.
- The backend keeps artifacts under `minio://` or `s3://`, which TensorFlow cannot open, or under
  `gs://`, and copies them from and to `/minio`, `/s3` or `/gcs`. Where TensorFlow has written to
  `gs://` itself, the next step fails, because the backend copies the markers of folders as files
  (`DownloadBlob` in backend/src/v2/objectstore/object_store.go). This module translates the
  addresses.
- The backend fails a step if the path of an output does not exist in its container
  (backend/src/v2/component/launcher_v2.go, `uploadOutputArtifacts` on the branch of 3.0; 2.x
  only warns). The Pusher of TFX writes nothing to its output. This module creates a folder for
  each output.
- The backend may leave out the name of an artifact, which a blessing refers to.
- The backend does not return the properties of artifacts. Those of the pushed model say
  whether it was pushed, so this module also writes them to a file in its folder.
- The backend does not look at the data before it looks up ExampleGen in the cache. So
  ExampleGen has two steps. The first one (`--resolve_input`) runs TFX's driver and
  outputs its result as a parameter, which is part of the cache key of the second one.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import pathlib
import re
import runpy
import sys
from collections.abc import Callable, Sequence
from typing import Any

_EXECUTOR = 'tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor'
_DRIVER = 'tfx.orchestration.kubeflow.v2.file_based_example_gen.driver'
# Finds the newest spans, and calls the driver.
_SPAN_HOOK = 'components.example_gen.span_hook'
_RANGE_CONFIG = 'range_config'

RESOLVED_INPUT = 'resolved_input'
RESOLVE_INPUT_FLAG = '--resolve_input'
OUTPUTS_SPEC_FLAG = '--json_serialized_outputs_spec_args'

# Folder that contains /gcs, /minio and /s3, for steps without a container.
MOUNTS_VARIABLE = 'OBJECT_STORE_MOUNTS'

_EXAMPLES = 'examples'
PUSHED_MODEL = 'pushed_model'
# In the folder of the pushed model: the properties of the artifact.
PROPERTIES_FILE = 'properties.json'
_EXAMPLES_TYPE = {'schemaTitle': 'tfx.Examples'}

# Where the launcher looks for an output (`LocalPathForURI` in launcher_v2.go).
_LOCAL_FOLDERS = {'gs': 'gcs', 'minio': 'minio', 's3': 's3'}
_SCHEMES = {folder: scheme for scheme, folder in _LOCAL_FOLDERS.items()}
_MOUNTED = re.compile(r'^(gs|minio|s3)://')
_MOUNT = re.compile(r'^/(gcs|minio|s3)/')


def main(argv: Sequence[str]) -> None:
    """Run a step.

    Args:
        argv: Arguments of TFX's entry point, including those for Beam, and
            `--json_serialized_outputs_spec_args` or `--resolve_input`.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument('--json_serialized_invocation_args', type=json.loads, required=True)
    parser.add_argument('--json_serialized_inputs_spec_args', default='{}')
    parser.add_argument(OUTPUTS_SPEC_FLAG, type=json.loads, default={})
    parser.add_argument(RESOLVE_INPUT_FLAG, action='store_true')
    args, others = parser.parse_known_args(argv)
    step = args.json_serialized_invocation_args
    inputs_spec = args.json_serialized_inputs_spec_args
    inputs = step.setdefault('inputs', {})
    resolved = inputs.get('parameterValues', {}).get(RESOLVED_INPUT)
    _apply_interface(inputs, json.loads(inputs_spec))
    _apply_interface(step['outputs'], args.json_serialized_outputs_spec_args)
    if args.resolve_input:
        resolve_input(step, inputs_spec, others)
    else:
        execute(step, inputs_spec, others, resolved=resolved)


def execute(
    step: dict[str, Any], inputs_spec: str, others: Sequence[str], *, resolved: str | None = None
) -> None:
    """Run TFX's entry point with translated addresses.

    Args:
        step: The ExecutorInput as JSON values; artifacts have types and names.
        inputs_spec: The ComponentInputsSpec as JSON.
        others: All other arguments.
        resolved: For ExampleGen, the output of `resolve_input`.
    """
    output_file = pathlib.Path(step['outputs']['outputFile'])
    if resolved is not None:
        _apply_driver_result(json.loads(resolved), step, output_file)
    _run(_EXECUTOR, _translate(step, _to_mount), inputs_spec, others)
    output = json.loads(output_file.read_text(encoding='utf-8'))
    for pushed in output.get('artifacts', {}).get(PUSHED_MODEL, {}).get('artifacts', []):
        _write_properties(pushed)
    output_file.write_text(json.dumps(_translate(output, _to_address)), encoding='utf-8')
    for of_key in step['outputs'].get('artifacts', {}).values():
        for artifact in of_key['artifacts']:
            _create_local_folder(artifact['uri'])


def resolve_input(step: dict[str, Any], inputs_spec: str, others: Sequence[str]) -> None:
    """Run ExampleGen's driver, which finds the newest spans and fingerprints their files.

    The output parameter of the step is the driver's ExecutorOutput as JSON, without the
    parts that do not depend on the data.

    Args:
        step: The ExecutorInput as JSON values.
        inputs_spec: The ComponentInputsSpec of ExampleGen as JSON.
        others: All other arguments.
    """
    outputs = step['outputs']
    output_file = pathlib.Path(outputs['outputFile'])
    artifact = {'type': _EXAMPLES_TYPE, 'uri': '', 'metadata': {}}
    artifacts = {_EXAMPLES: {'artifacts': [artifact]}}
    driver_step = {**step, 'outputs': {**outputs, 'artifacts': artifacts}}
    has_spans = bool(step['inputs']['parameterValues'].get(_RANGE_CONFIG))
    _run(_SPAN_HOOK if has_spans else _DRIVER, driver_step, inputs_spec, others, imports=_DRIVER)
    result = json.loads(output_file.read_text(encoding='utf-8'))
    for of_key in result.get('artifacts', {}).values():
        for one in of_key['artifacts']:
            one.pop('uri', None)
            one.pop('name', None)
    text = json.dumps(result, sort_keys=True)
    # Backends read an output parameter from its own file, or from that of all outputs.
    output_file.write_text(json.dumps({'parameterValues': {RESOLVED_INPUT: text}}))
    parameter_file = outputs.get('parameters', {}).get(RESOLVED_INPUT, {}).get('outputFile')
    if parameter_file:
        os.makedirs(os.path.dirname(parameter_file), exist_ok=True)
        pathlib.Path(parameter_file).write_text(text, encoding='utf-8')


def _write_properties(artifact: dict[str, Any]) -> None:
    fileio = importlib.import_module('tfx.dsl.io.fileio')
    fileio.makedirs(artifact['uri'])
    with fileio.open(f'{artifact["uri"]}/{PROPERTIES_FILE}', 'w') as file:
        file.write(json.dumps(artifact.get('metadata', {})))


def _create_local_folder(uri: str) -> None:
    if _MOUNTED.match(uri):
        os.makedirs(_to_mount(uri), exist_ok=True)


def _apply_driver_result(
    result: dict[str, Any], step: dict[str, Any], output_file: pathlib.Path
) -> None:
    """Pass the driver's result to ExampleGen as a service with a pre-cache hook does.

    TFX's entry point reads the parameters from the output file, and the properties from
    the artifacts.
    """
    output_file.parent.mkdir(parents=True, exist_ok=True)
    output_file.write_text(json.dumps({'parameterValues': result.get('parameterValues', {})}))
    for key, of_key in result.get('artifacts', {}).items():
        artifacts = step['outputs']['artifacts'][key]['artifacts']
        for artifact, other in zip(artifacts, of_key['artifacts']):
            artifact['metadata'] = {**artifact.get('metadata', {}), **other.get('metadata', {})}


def _apply_interface(side: dict[str, Any], spec: dict[str, Any]) -> None:
    """Keep what the interface declares, set the types of artifacts, and add missing names.

    Args:
        side: The inputs or the outputs of the ExecutorInput; changed in place.
        spec: The ComponentInputsSpec or ComponentOutputsSpec.
    """
    for kind in ('artifacts', 'parameters', 'parameterValues'):
        declared = spec.get('artifacts' if kind == 'artifacts' else 'parameters', {})
        if kind in side:
            side[kind] = {key: value for key, value in side[kind].items() if key in declared}
    for key, of_key in side.get('artifacts', {}).items():
        for artifact in of_key.get('artifacts', []):
            artifact['type'] = spec['artifacts'][key]['artifactType']
            if not artifact.get('name'):
                artifact['name'] = artifact.get('uri', '')


def _run(
    module: str,
    step: dict[str, Any],
    inputs_spec: str,
    others: Sequence[str],
    *,
    imports: str = _EXECUTOR,
) -> None:
    """Run a module as a program; raise SystemExit only if it fails."""
    saved = sys.argv
    sys.argv = [
        module,
        '--json_serialized_invocation_args',
        json.dumps(step),
        '--json_serialized_inputs_spec_args',
        inputs_spec,
        *others,
    ]
    _import_without_collection(imports)
    try:
        runpy.run_module(module, run_name='__main__', alter_sys=True)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    finally:
        sys.argv = saved


def _import_without_collection(module: str) -> None:
    """Import TFX with the garbage collector off, and exclude it from later collections.

    The collector would search these modules again and again, and at the exit: 3 of the 7
    CPU seconds that the import costs in each step.
    """
    gc.disable()
    importlib.import_module(module)
    # The module runs again as a program; what it imported stays imported.
    sys.modules.pop(module, None)
    gc.freeze()
    gc.enable()


def _translate(value: Any, translate: Callable[[str], str], *, artifact: bool = False) -> Any:
    """Translate the addresses of artifacts, and those in their properties."""
    if isinstance(value, str):
        return translate(value) if artifact else value
    if isinstance(value, list):
        return [_translate(item, translate, artifact=artifact) for item in value]
    if isinstance(value, dict):
        return {
            # The backend finds an artifact by its name.
            key: item
            if artifact and key in ('name', 'type')
            else _translate(item, translate, artifact=artifact or key == 'artifacts')
            for key, item in value.items()
        }
    return value


def _to_mount(address: str) -> str:
    match = _MOUNTED.match(address)
    if match is None:
        return address
    return f'{_mounts()}/{_LOCAL_FOLDERS[match[1]]}/{address[match.end() :]}'


def _to_address(path: str) -> str:
    below = path.removeprefix(_mounts())
    match = _MOUNT.match(below)
    return f'{_SCHEMES[match[1]]}://{below[match.end() :]}' if match else path


def _mounts() -> str:
    return os.environ.get(MOUNTS_VARIABLE, '')


if __name__ == '__main__':
    main(sys.argv[1:])
