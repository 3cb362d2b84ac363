"""Compiles with the versions of another stack: `python -m benchmarks.stacks.compiling …`.

The fingerprint of a node digests its code and the versions of the stack. What
one stack compiles as if it had the versions of another must therefore have that
one's fingerprints: equal to the last bit, unless the code differs.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Mapping
from unittest import mock

from benchmarks.stacks.probes import COMPILED
from components.common import fingerprint
from pipeline.cloud.targets import TARGETS, Target


def compiled_as(versions: Mapping[str, str], target: Target, preset: str) -> str:
    """Compile as if the stack had other versions.

    Args:
        versions: As `components.common.fingerprint.stack_versions` returns them.
        target: What to compile for.
        preset: Of the pipeline.

    Returns:
        The text that `compile` would write.
    """
    from pipeline.cloud.compile import compile_pipeline
    from pipeline.settings.config import load_config

    flags = {
        'data.path': COMPILED['--data'],
        'cloud.image': COMPILED['--image'],
        'cloud.pipeline_root': COMPILED['--pipeline-root'],
        'serving_dir': COMPILED['--serving-dir'],
    }
    with mock.patch.object(fingerprint, 'stack_versions', return_value=dict(versions)):
        return compile_pipeline(load_config(preset=preset, flags=flags), target).text()


def main() -> None:
    """Compile for all targets into a folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument('output', type=pathlib.Path)
    parser.add_argument('versions', type=json.loads)
    parser.add_argument('presets', nargs='+')
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for preset in options.presets:
        for target in TARGETS:
            text = compiled_as(options.versions, target, preset)
            (options.output / f'{target}-{preset}').write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
