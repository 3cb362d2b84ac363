"""Rehearses a compiled pipeline: runs it on this machine and emulates its service."""

from __future__ import annotations

import os
import pathlib
import sys
import time
import traceback
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.common.errors import (
    ComponentError,
    NotBlessedError,
    ReviewsError,
    StepFailedError,
)
from components.common.patterns import require_no_pattern
from components.example_gen.sources import discover
from pipeline.beam.arguments import require_valid_options
from pipeline.cloud.rehearsal.engines import EngineName, Mount, StepEngine, make_step_engine
from pipeline.cloud.rehearsal.launcher import open_folders
from pipeline.cloud.rehearsal.step_runner import StepRunner
from pipeline.cloud.rehearsal.workspace import Workspace, cut_sample
from pipeline.cloud.targets import Target
from pipeline.process import signals
from pipeline.process.logs import framework_noise_to
from pipeline.results.outcome import RunOutcome, verdict_of
from pipeline.settings.config import PipelineConfig
from pipeline.settings.user_module import find_user_module
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
    again: Collection[str] = (),
    sample: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Compile the pipeline, run it on this machine, and show the outcome.

    Args:
        config: The settings; `root` is the folder for all files.
        target: The service to emulate.
        engine_name: What runs the commands of the steps.
        assignments: Run-time parameters as `NAME=VALUE`.
        again: Nodes to execute, with all nodes after them, even if they are cached.
        sample: Whether to use a part of the sample instead of `data.path`.
        as_json: Print the outcome as JSON.
        quiet: Show errors only.
        verbose: Show the traceback of an error.

    Raises:
        NotBlessedError: If the candidate was not blessed.
        ReviewsError: If a setting is refused, or a step fails.
    """
    module = find_user_module(config.module, config.trainer.model, config.preset)
    folder = '' if module is None or module.installed else str(module.folder)
    engine = make_step_engine(engine_name, config.cloud.image, folder)
    require_no_pattern('root', str(config.root_path))
    workspace = Workspace(root=config.root_path, target=target)
    rehearsal = _Rehearsal(config, workspace, engine)
    if sample:
        rehearsal.change_config({'data': {'path': str(cut_sample(workspace.root / 'data'))}})
    error: ReviewsError | None = None
    with (
        signals.hint_on_interrupt('to reuse the complete steps, run the same command again'),
        framework_noise_to(rehearsal.log) as terminal,
    ):
        from pipeline.terminal.console import ProgressLines
        from pipeline.terminal.summary import print_summary

        try:
            with ProgressLines(terminal.err, quiet=quiet) as progress:
                rehearsal.run(assignments, again, progress)
        except ReviewsError as err:
            error = err
            if verbose:
                traceback.print_exception(error, file=terminal.err)
        outcome = rehearsal.outcome(error)
    if as_json:
        print_json({**outcome.to_json(), 'target': target, 'parameters': rehearsal.values})
    elif error is None and not quiet:
        print_summary(outcome, sys.stdout)
    if isinstance(error, StepFailedError):
        for line in error.tail:
            print(f'  | {line}', file=sys.stderr)
    if isinstance(error, ComponentError):
        error.log = outcome.log
    if error is not None:
        raise error
    if outcome.outcome == 'not_blessed':
        raise NotBlessedError(
            'not blessed: nothing was pushed',
            hint='compare the metrics with the bounds in the summary, or in the output of --json',
        )


class _Rehearsal:
    """Holds the settings of one rehearsal, and its results so far."""

    def __init__(self, config: PipelineConfig, workspace: Workspace, engine: StepEngine) -> None:
        self.run_id = workspace.start_run()
        self.log = workspace.log(self.run_id, 'rehearsal')
        self.values: dict[str, Any] = {}
        self._config = config
        self._workspace = workspace
        self._engine = engine
        self._started = time.monotonic()
        self._runner: StepRunner | None = None

    def change_config(self, changes: Mapping[str, Any]) -> None:
        """Set settings, each at the top level or in a section."""
        tree = self._config.model_dump()
        for name, value in changes.items():
            tree[name] = {**tree[name], **value} if isinstance(value, dict) else value
        self._config = PipelineConfig.model_validate(tree)

    def run(
        self, assignments: Sequence[str], again: Collection[str], progress: ProgressLines
    ) -> None:
        """Compile the pipeline, and run it.

        Raises:
            ReviewsError: If a setting is refused, or a step fails.
        """
        config, workspace = self._config, self._workspace
        progress.starting(
            f'{config.name}, preset {config.preset}, rehearsed for {workspace.target}, '
            f'on {os.path.relpath(config.data.path)}'
        )
        # The compiler accepts any path, because it may exist on the cluster only.
        discover(config.data.path, config.data.columns, spans=config.data.spans)
        require_valid_options(config.beam)
        self.change_config(
            {
                'serving_dir': str(workspace.serving_dir(config.name)),
                'beam': {'runner': 'direct', 'args': ()},
                'cloud': {
                    'pipeline_root': workspace.pipeline_root,
                    'image': config.cloud.image or _NO_IMAGE,
                },
            }
        )
        from pipeline.cloud.compile import compile_pipeline

        compiled = compile_pipeline(self._config, workspace.target).executing(again)
        self.values = compiled.parameter_values(assignments)
        self._runner = StepRunner(
            pipeline=compiled,
            values=self.values,
            engine=self._engine,
            workspace=workspace,
            run_id=self.run_id,
            mounts=self._mounts(),
        )
        self._runner.run(progress)

    def _mounts(self) -> tuple[Mount, ...]:
        """Return what each step sees of this machine: data, served models, Vertex's bucket."""
        written = [self._workspace.serving_dir(self._config.name)]
        if self._workspace.target == 'vertex':
            written.append(self._workspace.bucket)
        for folder in written:
            folder.mkdir(parents=True, exist_ok=True)
            if self._engine.in_container:
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

    def outcome(self, error: ReviewsError | None) -> RunOutcome:
        """Return the outcome of the run; `error` is why it failed, None otherwise."""
        from pipeline.results.run_findings import RunFindings

        found = self._runner.found if self._runner else RunFindings()
        nodes = tuple(self._runner.results) if self._runner else ()
        failed = next((node.id for node in nodes if node.state == 'failed'), 'rehearsal')
        log = self._workspace.log(self.run_id, failed)
        return RunOutcome(
            run_id=self.run_id,
            outcome=verdict_of(error, pushed=found.pushed, withdrawn=found.withdrawn),
            name=self._config.name,
            data=self._config.data.path,
            nodes=nodes,
            seconds=round(time.monotonic() - self._started, 3),
            log=os.path.relpath(log if log.is_file() else self.log),
            error=str(error) if error else None,
            config=self._config.model_dump(),
            **found.outcome_fields(),
        )
