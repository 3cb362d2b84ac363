"""ExampleGen's driver on services: finds the newest spans, then has TFX's driver do the rest.

`python -m components.example_gen.span_hook …` takes the arguments of TFX's driver.
On Vertex AI it is the command of the pre-cache check; on Kubeflow,
`components.common.entry_point` starts it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.example_gen.span_driver import Window

HOOK = ('python', '-m', 'components.example_gen.span_hook')

_RANGE_CONFIG = 'range_config'
_CUSTOM = 'custom:'


def resolve(step: dict[str, Any]) -> tuple[dict[str, Any], Window | None]:
    """Put plain patterns in place of one that names spans, if the step has one.

    Args:
        step: The ExecutorInput of ExampleGen, as JSON values.

    Returns:
        What TFX's driver is to be given, and the window; None if no span is named.

    Raises:
        DataError: If no span is there, or it cannot be told which are.
    """
    inputs = step['inputs']
    parameters = inputs['parameterValues']
    if not parameters.get(_RANGE_CONFIG):
        return step, None
    from components.example_gen.span_driver import find_window

    window = find_window(parameters)
    plain = {key: value for key, value in parameters.items() if key != _RANGE_CONFIG}
    plain['input_config'] = window.input_config
    return {**step, 'inputs': {**inputs, 'parameterValues': plain}}, window


def tell(found: dict[str, Any], window: Window) -> None:
    """Write the spans into what TFX's driver found, which knows of none.

    Args:
        found: Its ExecutorOutput, as JSON values, changed in place.
        window: The spans.
    """
    facts: dict[str, Any] = {'span': window.span}
    if window.version is not None:
        facts['version'] = window.version
    found.setdefault('parameterValues', {}).update(facts)
    for of_key in found.get('artifacts', {}).values():
        for artifact in of_key['artifacts']:
            metadata = artifact.setdefault('metadata', {})
            # TFX writes a property so if the type has another of its name.
            prefix = _CUSTOM if f'{_CUSTOM}span' in metadata else ''
            metadata.update({f'{prefix}{name}': fact for name, fact in facts.items()})
            metadata['spans'] = window.description


def main(argv: Sequence[str]) -> None:
    """Run the hook.

    Args:
        argv: As TFX's driver takes them; Beam's arguments mean nothing here.
    """
    from tfx.dsl.io import fileio
    from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver

    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument('--json_serialized_invocation_args', type=json.loads, required=True)
    parser.add_argument('--json_serialized_inputs_spec_args')
    args, _ = parser.parse_known_args(argv)
    step, window = resolve(args.json_serialized_invocation_args)
    args.json_serialized_invocation_args = json.dumps(step)
    driver.main(args)
    if window is not None:
        output_file = step['outputs']['outputFile']
        with fileio.open(output_file) as file:
            found = json.loads(file.read())
        tell(found, window)
        with fileio.open(output_file, 'w') as file:
            file.write(json.dumps(found))


if __name__ == '__main__':
    main(sys.argv[1:])
