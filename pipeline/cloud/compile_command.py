"""What the commands about compiled pipelines do, once their words are parsed."""

from __future__ import annotations

import pathlib
import sys

from components.common.errors import ConfigError
from pipeline.beam.arguments import require_valid_options
from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.reachable import require_reachable
from pipeline.cloud.targets import Target
from pipeline.process.imports import no_collection
from pipeline.process.logs import no_framework_noise
from pipeline.settings.config import PipelineConfig


def write_compiled(config: PipelineConfig, target: Target, output: str | None) -> None:
    """Compile, and write the specification to a file or to standard output.

    Raises:
        ReviewsError: If it can't be compiled, or not be written.
    """
    text = compile_for_service(config, target).text()
    if output is None:
        sys.stdout.write(text)
        return
    try:
        pathlib.Path(output).write_text(text, encoding='utf-8', newline='\n')
    except OSError as err:
        raise ConfigError(
            f'cannot write {output}: {err.strerror or err}', hint='name another --output FILE'
        ) from err


def compile_for_service(config: PipelineConfig, target: Target) -> CompiledPipeline:
    """Compile for a service elsewhere, without what the frameworks print when imported.

    Raises:
        ReviewsError: If it can't be compiled, or the service can't reach what it names.
    """
    require_reachable(config, target)
    require_valid_options(config.beam)
    # A defect still ends with its traceback, which is printed after the block.
    with no_framework_noise(), no_collection():
        from pipeline.cloud.compile import compile_pipeline

        return compile_pipeline(config, target)
