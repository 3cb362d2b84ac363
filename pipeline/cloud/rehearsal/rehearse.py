"""What the command `rehearse` does, once its words are parsed."""

from __future__ import annotations

import os
import pathlib
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

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
from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.rehearsal.engine import EngineName, Mount, make_engine
from pipeline.cloud.rehearsal.launcher import open_folders
from pipeline.cloud.rehearsal.objects import ObjectStore
from pipeline.cloud.rehearsal.run import Rehearsal
from pipeline.cloud.rehearsal.sample import cut_sample
from pipeline.cloud.rehearsal.verdict import Verdict
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.cloud.targets import Target
from pipeline.process import signals
from pipeline.process.logs import Terminal, framework_noise_to
from pipeline.results.outcome import RunOutcome, verdict_of
from pipeline.settings.config import PipelineConfig
from pipeline.terminal.json_output import print_json

# Names no image: processes stand in for its containers.
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
    """Run the compiled pipeline on this machine, and show what comes of it.

    Args:
        config: The settings; `root` is the folder for all that is written.
        target: Whose service is played.
        engine_name: What runs the steps' commands.
        assignments: Run-time parameters as `NAME=VALUE`.
        sample: Whether to cut data from the sample, in place of what is
            configured.
        as_json: Print the outcome as JSON.
        quiet: Show errors only.
        verbose: Show the traceback of an error.

    Raises:
        NotBlessedError: If the candidate was not blessed.
        ReviewsError: If something was refused, or a step failed.
    """
    if engine_name != 'process' and config.cloud.image is None:
        raise ConfigError(
            f'{engine_name} runs the steps in containers, and needs an image',
            hint='build one with make image, and say --image IMAGE',
        )
    require_no_pattern('root', str(config.root_path))
    workspace = Workspace(root=config.root_path, target=target)
    run_id = workspace.new_run()
    next_step = 'the same command takes from the cache what is complete'
    log = workspace.run_log(run_id)
    with signals.hint_on_interrupt(next_step), framework_noise_to(log) as terminal:
        one = _Rehearsing(config, workspace, engine_name, run_id)
        outcome, error = one.run(assignments, terminal, sample=sample, quiet=quiet)
        if error is not None and verbose:
            traceback.print_exception(error, file=terminal.err)
    if as_json:
        print_json(one.to_json(outcome))
    elif error is None and not quiet:
        from pipeline.terminal.console import print_summary

        print_summary(outcome, sys.stdout)
    if error is not None:
        if isinstance(error, StepFailedError):
            for line in error.tail:
                print(f'  | {line}', file=sys.stderr)
        if isinstance(error, ComponentError):
            error.log = outcome.log
        raise error
    if outcome.outcome == 'not_blessed':
        raise NotBlessedError('not blessed: nothing was pushed')


class _Rehearsing:
    """Brings together what a rehearsal needs, and what came of it."""

    def __init__(
        self,
        config: PipelineConfig,
        workspace: Workspace,
        engine_name: EngineName,
        run_id: str,
    ) -> None:
        self._config = config
        self._workspace = workspace
        self._engine = make_engine(engine_name)
        self._run_id = run_id
        self._values: Mapping[str, Any] = {}
        self._rehearsal: Rehearsal | None = None
        self._verdict: Verdict | None = None
        self._log = workspace.run_log(run_id)

    def run(
        self, assignments: Sequence[str], terminal: Terminal, *, sample: bool, quiet: bool
    ) -> tuple[RunOutcome, ReviewsError | None]:
        """Compile and run; return what came of it, and the error if it failed."""
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

    def _run(self, assignments: Sequence[str], progress: Any) -> None:
        workspace, name = self._workspace, self._config.name
        # Compiling takes any path for one on the cluster; here is where it is read.
        data = self._config.data
        discover(data.path, data.columns, spans=data.spans)
        require_valid_options(self._config.beam)
        self._config = _with(
            self._config,
            {
                'serving_dir': str(workspace.serving_dir(name)),
                'beam': {'runner': 'direct', 'args': ()},
                'cloud': {
                    'pipeline_root': workspace.pipeline_root,
                    'image': self._config.cloud.image or _NO_IMAGE,
                },
            },
        )
        from pipeline.cloud.compile import compile_pipeline

        compiled = compile_pipeline(self._config, workspace.target)
        self._values = compiled.parameter_values(assignments)
        self._rehearsal = Rehearsal(
            pipeline=compiled,
            values=self._values,
            engine=self._engine,
            workspace=workspace,
            run_id=self._run_id,
            mounts=self._mounts(compiled),
        )
        self._verdict = Verdict(self._path)
        self._rehearsal.run(progress, self._verdict)

    def _mounts(self, compiled: CompiledPipeline) -> tuple[Mount, ...]:
        """Return what each step sees of this machine: data, served models, Vertex's bucket."""
        written = [self._workspace.serving_dir(compiled.name)]
        if self._workspace.target == 'vertex':
            written.append(self._workspace.artifacts)
        for folder in written:
            folder.mkdir(parents=True, exist_ok=True)
            if self._engine.needs_open_folders:
                open_folders(folder)
        read = {
            value
            for value in self._values.values()
            if isinstance(value, str) and os.path.isabs(value) and os.path.exists(value)
        }
        return (
            *(Mount(source=folder, target=str(folder)) for folder in written),
            *(
                Mount(source=pathlib.Path(path), target=path, read_only=True)
                for path in sorted(read)
            ),
        )

    def _path(self, uri: str) -> pathlib.Path:
        if self._workspace.target == 'kubeflow':
            return ObjectStore(self._workspace.objects).path(uri)
        return pathlib.Path(uri)

    def _outcome(self, error: ReviewsError | None, seconds: float) -> RunOutcome:
        rehearsal = self._rehearsal
        found = self._verdict.found if self._verdict else None
        log = self._log
        if isinstance(error, ComponentError) and rehearsal is not None and rehearsal.current:
            step_log = self._workspace.log(self._run_id, rehearsal.current)
            log = step_log if step_log.is_file() else log
        pushed = found.pushed if found else None
        withdrawn = found.withdrawn if found else None
        return RunOutcome(
            run_id=self._run_id,
            outcome=verdict_of(error, pushed=pushed, withdrawn=withdrawn),
            name=self._config.name,
            data=self._config.data.path,
            spans=found.spans if found else None,
            rejects=found.rejects if found else None,
            metrics=found.metrics if found else {},
            slices=found.slices if found else {},
            thresholds=found.thresholds if found else (),
            baseline=found.baseline if found else None,
            nodes=tuple(rehearsal.results) if rehearsal else (),
            pushed=pushed,
            withdrawn=withdrawn,
            seconds=round(seconds, 3),
            log=os.path.relpath(log),
            error=str(error) if error else None,
            config=self._config.model_dump(),
        )

    def to_json(self, outcome: RunOutcome) -> dict[str, Any]:
        """Return the outcome and what is a rehearsal's own, as JSON values."""
        return {
            **outcome.to_json(),
            'target': self._workspace.target,
            'parameters': dict(self._values),
        }


def _with(config: PipelineConfig, changes: Mapping[str, Any]) -> PipelineConfig:
    """Return the settings with some of them changed."""
    tree = config.model_dump()
    for name, value in changes.items():
        tree[name] = {**tree[name], **value} if isinstance(value, dict) else value
    return PipelineConfig.model_validate(tree)
