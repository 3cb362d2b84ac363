"""Runs the steps of a compiled pipeline in their order, as a service would."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from components.common.errors import ReviewsError
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.rehearsal import played_driver
from pipeline.cloud.rehearsal.compiled_steps import Step, read_steps
from pipeline.cloud.rehearsal.played_cache import PlayedCache, StepOutputs
from pipeline.cloud.rehearsal.played_launcher import PlayedLauncher, StepFiles
from pipeline.cloud.rehearsal.played_object_store import PlayedObjectStore
from pipeline.cloud.rehearsal.played_services import make_played_service
from pipeline.cloud.rehearsal.step_engines import Mount, StepEngine
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.results.outcome import NodeResult, State

if TYPE_CHECKING:
    from pipeline.terminal.console import ProgressLines


@dataclasses.dataclass
class PlayedRun:
    """One run of a compiled pipeline on this machine.

    Attributes:
        pipeline: The pipeline to run.
        values: Value of each run-time parameter.
        engine: Runs the commands of the steps.
        workspace: Where all files go.
        run_id: Id of the run, see `Workspace.start_run`.
        mounts: What steps see of this machine in addition to artifacts.
        results: Result of each step so far.
        outputs: Outputs of each step so far.
        current: Name of the step that runs or failed.
    """

    pipeline: CompiledPipeline
    values: Mapping[str, Any]
    engine: StepEngine
    workspace: Workspace
    run_id: str
    mounts: tuple[Mount, ...] = ()
    results: list[NodeResult] = dataclasses.field(default_factory=list)
    outputs: dict[str, StepOutputs] = dataclasses.field(default_factory=dict)
    current: str = ''

    def __post_init__(self) -> None:
        self._service = make_played_service(self.pipeline)
        self._cache = PlayedCache(self.workspace.cache(self.pipeline.name))
        self._launcher = PlayedLauncher(
            engine=self.engine,
            service=self._service,
            objects=PlayedObjectStore(self.workspace.objects),
            mounts=self.mounts,
        )

    def run(self, progress: ProgressLines, describe: Callable[[str, StepOutputs], str]) -> None:
        """Run all steps until one fails or all are done.

        Args:
            progress: Shows the steps.
            describe: Returns one line on what a step found or made.

        Raises:
            ConfigError: If a step cannot run. No step has run in that case.
            ComponentError: If a step fails. The steps after it do not run.
        """
        steps = read_steps(self.pipeline)
        self.engine.prepare(sorted({step.container['image'] for step in steps}))
        progress.nodes_known([step.name for step in steps])
        for index, step in enumerate(steps, start=1):
            self.current = step.name
            progress.node_started(index, len(steps), step.name)
            result, error = self._run_step(step, describe)
            self.results.append(result)
            progress.node_finished(index, len(steps), result)
            if error is not None:
                self.results += [NodeResult(id=s.name, state='skipped') for s in steps[index:]]
                raise error

    def _run_step(
        self, step: Step, describe: Callable[[str, StepOutputs], str]
    ) -> tuple[NodeResult, ReviewsError | None]:
        started = time.monotonic()
        result, error = NodeResult(id=step.name, state='failed'), None
        try:
            state, outputs = self._execute(step)
            self.outputs[step.name] = outputs
            result = NodeResult(id=step.name, state=state, note=describe(step.name, outputs))
        except ReviewsError as err:
            error = err
        return dataclasses.replace(result, seconds=round(time.monotonic() - started, 3)), error

    def _execute(self, step: Step) -> tuple[State, StepOutputs]:
        """Run a step, or take its outputs from the cache."""
        files = StepFiles(
            folder=self.workspace.step_folder(self.run_id, step.name),
            log=self.workspace.log(self.run_id, step.name),
        )
        files.folder.mkdir(parents=True, exist_ok=True)
        inputs = played_driver.resolve_artifacts(step, self.outputs, self._service)
        parameters = played_driver.resolve_parameters(step, self.outputs, self.values)
        provisioned = played_driver.provision_outputs(step, self._service, run=self.run_id)
        executor_input = played_driver.make_executor_input(
            inputs, parameters, provisioned, self._service
        )
        if self._service.runs_pre_cache_check:
            executor_input = self._launcher.run_pre_cache_check(step, executor_input, files)
            parameters = executor_input['inputs']['parameterValues']
        key = played_driver.compute_cache_key(step, inputs, parameters, self._service)
        cached = self._cache.find(key) if step.cached else None
        if cached is not None:
            return 'cached', cached
        outputs = self._launcher.run(step, executor_input, provisioned, files)
        if step.cached:
            self._cache.add(key, outputs)
        return 'executed', outputs
