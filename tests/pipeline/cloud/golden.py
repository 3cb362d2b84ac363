"""Golden files of the specifications, without the parts that each edit of the code changes.

One for each target. The file for Vertex AI is YAML, although the command writes JSON, because
YAML shows texts of several lines. To update the files and review the difference:

    python -m tests.pipeline.cloud.golden && git diff tests/pipeline/cloud/golden
"""

from __future__ import annotations

import pathlib
import re

from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.compiled_pipeline import CompiledPipeline, readable_yaml
from pipeline.cloud.targets import TARGETS, Target
from pipeline.settings.config import PipelineConfig, load_config

FILES: dict[Target, pathlib.Path] = {
    'vertex': pathlib.Path(__file__).with_name('golden') / 'vertex.yaml',
    'kubeflow': pathlib.Path(__file__).with_name('golden') / 'kubeflow.yaml',
}
# Options of the compile command for the same result.
OPTIONS = {
    '--data': 'gs://bucket/data/reviews-*.csv',
    '--image': 'europe-docker.pkg.dev/project/repository/reviews:1',
    '--pipeline-root': 'gs://bucket/root',
    '--serving-dir': 'gs://bucket/serving',
    '--preset': 'tutorial',
}

_FINGERPRINT = re.compile(r'\b[0-9a-f]{64}\b')
_TFX = re.compile(r'\btfx-\d+\.\d+\.\d+\b')
_LABEL = re.compile(r'\b(tfx(?:_py)?_version:) .*')


def config(*settings: str, preset: str = OPTIONS['--preset']) -> PipelineConfig:
    """Return the settings of the golden files with changes."""
    return load_config(
        preset=preset,
        flags={
            'data.path': OPTIONS['--data'],
            'cloud.image': OPTIONS['--image'],
            'cloud.pipeline_root': OPTIONS['--pipeline-root'],
            'serving_dir': OPTIONS['--serving-dir'],
        },
        settings=settings,
    )


def golden_text(compiled: CompiledPipeline) -> str:
    """Return the text of a pipeline with masked fingerprints and versions."""
    whole = compiled.job() if compiled.target == 'vertex' else compiled.spec
    text = _FINGERPRINT.sub('<fingerprint>', readable_yaml(whole))
    return _LABEL.sub(r'\1 <version>', _TFX.sub('tfx-<version>', text))


def main() -> None:
    """Write all golden files."""
    for target in TARGETS:
        FILES[target].parent.mkdir(exist_ok=True)
        text = golden_text(compile_pipeline(config(), target))
        FILES[target].write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
