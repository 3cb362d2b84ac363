"""ExampleGen's driver on Vertex AI and Kubeflow: finds the newest spans, then runs TFX's driver.

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
    """Replace a pattern that names spans by plain patterns, if the step has one.

    Args:
        step: The ExecutorInput of ExampleGen, as JSON values.

    Returns:
        The ExecutorInput for TFX's driver, and the spans; None if none is named.

    Raises:
        DataError: See `find_window`.
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


def add_spans(output: dict[str, Any], window: Window) -> None:
    """Add the spans to the ExecutorOutput of TFX's driver, JSON values, in place."""
    properties: dict[str, Any] = {'span': window.newest.number}
    if window.newest.version is not None:
        properties['version'] = window.newest.version
    output.setdefault('parameterValues', {}).update(properties)
    for by_key in output.get('artifacts', {}).values():
        for artifact in by_key['artifacts']:
            metadata = artifact.setdefault('metadata', {})
            # TFX adds the prefix if the type has a property of the same name.
            prefix = _CUSTOM if f'{_CUSTOM}span' in metadata else ''
            metadata.update({f'{prefix}{name}': value for name, value in properties.items()})
            metadata['spans'] = window.description


def main(argv: Sequence[str]) -> None:
    """Run the hook with the arguments of TFX's driver; those of Beam are ignored."""
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
            output = json.loads(file.read())
        add_spans(output, window)
        with fileio.open(output_file, 'w') as file:
            file.write(json.dumps(output))


if __name__ == '__main__':
    main(sys.argv[1:])
