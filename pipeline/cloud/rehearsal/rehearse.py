"""Rehearses a compiled pipeline: runs it on this machine and emulates its service."""

from __future__ import annotations

import os
import pathlib
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.common.errors import (
    ComponentError,
    ConfigError,
    NotBlessedError,
    ReviewsError,
    StepFailedError,
)
from components.common.patterns import require_no_pattern
from components.example_gen.sources import discover
from pipeline.beam.arguments import require_valid_options
from pipeline.cloud.rehearsal.played_launcher import open_folders
from pipeline.cloud.rehearsal.played_object_store import PlayedObjectStore
from pipeline.cloud.rehearsal.played_run import PlayedRun
from pipeline.cloud.rehearsal.step_engines import EngineName, Mount, make_step_engine
from pipeline.cloud.rehearsal.step_results import StepResults
from pipeline.cloud.rehearsal.workspace import Workspace, cut_sample
from pipeline.cloud.targets import Target
from pipeline.process import signals
from pipeline.process.logs import Terminal, framework_noise_to
from pipeline.results.outcome import RunOutcome, verdict_of
from pipeline.settings.config import PipelineConfig
from pipeline.terminal.json_output import print_json

if TYPE_CHECKING:
    from pipeline.terminal.console import ProgressLines

# Satisfies the compiler where processes replace the containers.
_NO_IMAGE = 'rehearsal:none'


def rehearse(
    config: PipelineConfig,
    target: Target,
    *,
    engine_name: EngineName,
    assignments: Sequence[str],
    sample: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Compile the pipeline, run it on this machine, and show the outcome.

    Args:
        config: The settings; `root` is the folder for all files.
        target: The service to play.
        engine_name: What runs the commands of the steps.
        assignments: Run-time parameters as `NAME=VALUE`.
        sample: Whether to use a part of the sample instead of `data.path`.
        as_json: Print the outcome as JSON.
        quiet: Show errors only.
        verbose: Show the traceback of an error.

    Raises:
        NotBlessedError: If the candidate was not blessed.
        ReviewsError: If a setting is refused, or a step fails.
    """
    if engine_name != 'process' and config.cloud.image is None:
        raise ConfigError(
            f'{engine_name} runs the steps in containers, and needs an image',
            hint='build one with make image, and pass --image IMAGE',
        )
    require_no_pattern('root', str(config.root_path))
    workspace = Workspace(root=config.root_path, target=target)
    rehearsal = _Rehearsal(config, workspace, engine_name)
    with (
        signals.hint_on_interrupt('the same command reuses the steps that are complete'),
        framework_noise_to(workspace.run_log(rehearsal.run_id)) as terminal,
    ):
        outcome, error = rehearsal.run(assignments, terminal, sample=sample, quiet=quiet)
        if error is not None and verbose:
            traceback.print_exception(error, file=terminal.err)
    if as_json:
        print_json({**outcome.to_json(), 'target': target, 'parameters': rehearsal.values})
    elif error is None and not quiet:
        from pipeline.terminal.console import print_summary

        print_summary(outcome, sys.stdout)
    if isinstance(error, StepFailedError):
        for line in error.tail:
            print(f'  | {line}', file=sys.stderr)
    if isinstance(error, ComponentError):
        error.log = outcome.log
    if error is not None:
        raise error
    if outcome.outcome == 'not_blessed':
        raise NotBlessedError('not blessed: nothing was pushed')


class _Rehearsal:
    """Holds the settings of one rehearsal, and its results so far."""

    def __init__(
        self, config: PipelineConfig, workspace: Workspace, engine_name: EngineName
    ) -> None:
        self.run_id = workspace.start_run()
        self.values: dict[str, Any] = {}
        self._config = config
        self._workspace = workspace
        self._engine = make_step_engine(engine_name)
        self._played: PlayedRun | None = None
        self._results: StepResults | None = None

    def run(
        self, assignments: Sequence[str], terminal: Terminal, *, sample: bool, quiet: bool
    ) -> tuple[RunOutcome, ReviewsError | None]:
        """Compile and run; return the outcome, and the error if it failed."""
        from pipeline.terminal.console import ProgressLines

        started = time.monotonic()
        error: ReviewsError | None = None
        try:
            if sample:
                path = cut_sample(self._workspace.root / 'data')
                self._config = _with(self._config, {'data': {'path': str(path)}})
            with ProgressLines(terminal.err, quiet=quiet) as progress:
                progress.starting(
                    f'{self._config.name}, preset {self._config.preset}, rehearsed for '
                    f'{self._workspace.target}, on {os.path.relpath(self._config.data.path)}'
                )
                self._run(assignments, progress)
        except ReviewsError as err:
            error = err
        return self._outcome(error, time.monotonic() - started), error

    def _run(self, assignments: Sequence[str], progress: ProgressLines) -> None:
        workspace, data = self._workspace, self._config.data
        # The compiler accepts any path, because it may exist on the cluster only.
        discover(data.path, data.columns, spans=data.spans)
        require_valid_options(self._config.beam)
        self._config = _with(
            self._config,
            {
                'serving_dir': str(workspace.serving_dir(self._config.name)),
                'beam': {'runner': 'direct', 'args': ()},
                'cloud': {
                    'pipeline_root': workspace.pipeline_root,
                    'image': self._config.cloud.image or _NO_IMAGE,
                },
            },
        )
        from pipeline.cloud.compile import compile_pipeline

        compiled = compile_pipeline(self._config, workspace.target)
        self.values = compiled.parameter_values(assignments)
        self._played = PlayedRun(
            pipeline=compiled,
            values=self.values,
            engine=self._engine,
            workspace=workspace,
            run_id=self.run_id,
            mounts=self._mounts(),
        )
        self._results = StepResults(self._find_path)
        self._played.run(progress, self._results.describe)

    def _mounts(self) -> tuple[Mount, ...]:
        """Return what each step sees of this machine: data, served models, Vertex's bucket."""
        written = [self._workspace.serving_dir(self._config.name)]
        if self._workspace.target == 'vertex':
            written.append(self._workspace.bucket)
        for folder in written:
            folder.mkdir(parents=True, exist_ok=True)
            if self._engine.needs_open_folders:
                open_folders(folder)
        read = {
            value
            for value in self.values.values()
            if isinstance(value, str) and os.path.isabs(value) and os.path.exists(value)
        }
        return (
            *(Mount(source=folder, target=str(folder)) for folder in written),
            *(Mount(source=pathlib.Path(p), target=p, read_only=True) for p in sorted(read)),
        )

    def _find_path(self, uri: str) -> pathlib.Path:
        if self._workspace.target == 'kubeflow':
            return PlayedObjectStore(self._workspace.objects).path(uri)
        return pathlib.Path(uri)

    def _outcome(self, error: ReviewsError | None, seconds: float) -> RunOutcome:
        from pipeline.results.run_findings import RunFindings

        found = self._results.found if self._results else RunFindings()
        log = self._workspace.run_log(self.run_id)
        if isinstance(error, ComponentError) and self._played is not None:
            step_log = self._workspace.log(self.run_id, self._played.current)
            log = step_log if step_log.is_file() else log
        return RunOutcome(
            run_id=self.run_id,
            outcome=verdict_of(error, pushed=found.pushed, withdrawn=found.withdrawn),
            name=self._config.name,
            data=self._config.data.path,
            nodes=tuple(self._played.results) if self._played else (),
            seconds=round(seconds, 3),
            log=os.path.relpath(log),
            error=str(error) if error else None,
            config=self._config.model_dump(),
            **found.outcome_fields(),
        )


def _with(config: PipelineConfig, changes: Mapping[str, Any]) -> PipelineConfig:
    tree = config.model_dump()
    for name, value in changes.items():
        tree[name] = {**tree[name], **value} if isinstance(value, dict) else value
    return PipelineConfig.model_validate(tree)
