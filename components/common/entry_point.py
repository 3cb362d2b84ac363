"""The command of a step's container on Kubeflow Pipelines: a thin layer before TFX's own.

Its backend and TFX's entry point disagree in four things:

- It hands artifacts over without their types, or with a wrong one. TFX needs
  them to choose a class, so they are filled in from the component's interface.
- It keeps artifacts under `minio://` or `s3://`, which TensorFlow cannot open,
  but has a copy of each below `/minio` or `/s3`, and takes from there what a
  step wrote. So addresses are translated on the way in, and back on the way out.
- It may leave out an artifact's name, by which a blessing says what it blessed.
- It has no hook that looks at the data before ExampleGen's cache is asked. So
  ExampleGen is two steps. The first (`--resolve_input`) runs TFX's driver, and
  puts out what it found as a parameter. The second is cached by it.
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

# Set where steps run without a container of their own: a rehearsal's processes.
MOUNTS_VARIABLE = 'OBJECT_STORE_MOUNTS'

_EXAMPLES = 'examples'
_EXAMPLES_TYPE = {'schemaTitle': 'tfx.Examples'}

_MOUNTED = re.compile(r'^(minio|s3)://')
_MOUNT = re.compile(r'^/(minio|s3)/')


def main(argv: Sequence[str]) -> None:
    """Run a step.

    Args:
        argv: As TFX's entry point takes them, Beam's arguments included, and
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
    _fill_in(step.get('inputs', {}), json.loads(inputs_spec))
    _fill_in(step.get('outputs', {}), args.json_serialized_outputs_spec_args)
    if args.resolve_input:
        resolve_input(step, inputs_spec, others)
    else:
        execute(step, inputs_spec, others)


def execute(step: dict[str, Any], inputs_spec: str, others: Sequence[str]) -> None:
    """Run TFX's entry point, with addresses that it can open.

    Args:
        step: The ExecutorInput, as JSON values; artifacts have types and names.
        inputs_spec: The ComponentInputsSpec, as JSON.
        others: All other arguments.
    """
    output_file = pathlib.Path(step['outputs']['outputFile'])
    resolved = step.get('inputs', {}).get('parameterValues', {}).pop(RESOLVED_INPUT, None)
    if resolved is not None:
        _take_over(json.loads(resolved), step, output_file)
    _run(_EXECUTOR, _translated(step, _to_mount), inputs_spec, others)
    _rewrite(output_file, _to_address)


def resolve_input(step: dict[str, Any], inputs_spec: str, others: Sequence[str]) -> None:
    """Run ExampleGen's driver: find the newest spans, and a fingerprint of the files.

    Its result is the step's output parameter: an ExecutorOutput as JSON, in
    which only what was found in the data varies.

    Args:
        step: The ExecutorInput, as JSON values.
        inputs_spec: The ComponentInputsSpec of ExampleGen, as JSON.
        others: All other arguments.
    """
    outputs = step['outputs']
    output_file = pathlib.Path(outputs['outputFile'])
    artifact = {'type': _EXAMPLES_TYPE, 'uri': '', 'metadata': {}}
    asked = {**step, 'outputs': {**outputs, 'artifacts': {_EXAMPLES: {'artifacts': [artifact]}}}}
    names_spans = bool(step['inputs']['parameterValues'].get(_RANGE_CONFIG))
    _run(_SPAN_HOOK if names_spans else _DRIVER, asked, inputs_spec, others, imports=_DRIVER)
    found = json.loads(output_file.read_text(encoding='utf-8'))
    for of_key in found.get('artifacts', {}).values():
        for one in of_key['artifacts']:
            one.pop('uri', None)
            one.pop('name', None)
    text = json.dumps(found, sort_keys=True)
    # Backends read an output parameter from its own file, or from that of all outputs.
    output_file.write_text(json.dumps({'parameterValues': {RESOLVED_INPUT: text}}))
    parameter_file = outputs.get('parameters', {}).get(RESOLVED_INPUT, {}).get('outputFile')
    if parameter_file:
        os.makedirs(os.path.dirname(parameter_file), exist_ok=True)
        pathlib.Path(parameter_file).write_text(text, encoding='utf-8')


def _take_over(found: dict[str, Any], step: dict[str, Any], output_file: pathlib.Path) -> None:
    """Give ExampleGen what its driver found, as a service with a hook does.

    Parameters are in the file that TFX's entry point looks into for them;
    properties are on the artifact already.
    """
    output_file.parent.mkdir(parents=True, exist_ok=True)
    output_file.write_text(json.dumps({'parameterValues': found.get('parameterValues', {})}))
    for key, of_key in found.get('artifacts', {}).items():
        artifacts = step['outputs']['artifacts'][key]['artifacts']
        for artifact, other in zip(artifacts, of_key['artifacts']):
            artifact['metadata'] = {**artifact.get('metadata', {}), **other.get('metadata', {})}


def _fill_in(side: dict[str, Any], spec: dict[str, Any]) -> None:
    """Give artifacts the type that the interface names, and a name if they have none."""
    for key, of_key in side.get('artifacts', {}).items():
        definition = spec.get('artifacts', {}).get(key)
        for artifact in of_key.get('artifacts', []):
            if definition is not None:
                artifact['type'] = definition['artifactType']
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
    """Run a module as its command does, which is or calls one of TFX's; return if all went well."""
    saved = sys.argv
    sys.argv = [
        module,
        '--json_serialized_invocation_args',
        json.dumps(step),
        '--json_serialized_inputs_spec_args',
        inputs_spec,
        *others,
    ]
    _import_what_it_needs(imports)
    try:
        runpy.run_module(module, run_name='__main__', alter_sys=True)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    finally:
        sys.argv = saved


def _import_what_it_needs(module: str) -> None:
    """Import TFX and all that comes with it, and spare the garbage collector these modules.

    They are never garbage, but it looks through all of them again and again, and
    at the exit: 3 of the 7 CPU seconds that importing costs each step.
    """
    gc.disable()
    importlib.import_module(module)
    # It is to run once more, as a program; what it imported stays.
    sys.modules.pop(module, None)
    gc.freeze()
    gc.enable()


def _rewrite(output_file: pathlib.Path, translate: Callable[[str], str]) -> None:
    output = json.loads(output_file.read_text(encoding='utf-8'))
    output_file.write_text(json.dumps(_translated(output, translate)), encoding='utf-8')


def _translated(value: Any, translate: Callable[[str], str]) -> Any:
    """Translate the addresses of artifacts, and those among their properties."""
    if isinstance(value, list):
        return [_translated(item, translate) for item in value]
    if isinstance(value, dict):
        return {
            key: _translated_artifacts(item, translate)
            if key == 'artifacts'
            else _translated(item, translate)
            for key, item in value.items()
        }
    return value


def _translated_artifacts(value: Any, translate: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return translate(value)
    if isinstance(value, list):
        return [_translated_artifacts(item, translate) for item in value]
    if isinstance(value, dict):
        return {
            # The name is what the backend knows it by.
            key: item if key in ('name', 'type') else _translated_artifacts(item, translate)
            for key, item in value.items()
        }
    return value


def _to_mount(address: str) -> str:
    match = _MOUNTED.match(address)
    return f'{_mounts()}/{match[1]}/{address[match.end() :]}' if match else address


def _to_address(path: str) -> str:
    below = path.removeprefix(_mounts())
    return _MOUNT.sub(r'\1://', below) if _MOUNT.match(below) else path


def _mounts() -> str:
    """Return what the stores are mounted below: where no container is, not the root."""
    return os.environ.get(MOUNTS_VARIABLE, '')


if __name__ == '__main__':
    main(sys.argv[1:])
