"""Runs the steps of a compiled pipeline in their order, as a service would."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.common.errors import ComponentError, ReviewsError
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.rehearsal import driver
from pipeline.cloud.rehearsal.engines import Mount, StepEngine
from pipeline.cloud.rehearsal.launcher import Launcher
from pipeline.cloud.rehearsal.services import make_service
from pipeline.cloud.rehearsal.steps import Step, StepOutputs, read_steps
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.results.outcome import NodeResult, State

if TYPE_CHECKING:
    from pipeline.terminal.console import ProgressLines


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalArtifact:
    """An artifact whose files are on this machine, with the methods of TFX's artifacts.

    Attributes:
        uri: Path of the files.
        metadata: Properties.
    """

    uri: str
    metadata: Mapping[str, Any]

    def get_int_custom_property(self, key: str) -> int:
        """Return an integer, 0 if there is no such property."""
        return int(self._property(key) or 0)

    def get_string_custom_property(self, key: str) -> str:
        """Return a text, empty if there is no such property."""
        return str(self._property(key) or '')

    def _property(self, key: str) -> Any:
        # TFX adds the prefix if the type of the artifact has a property of that name.
        return self.metadata.get(key, self.metadata.get(f'custom:{key}'))


@dataclasses.dataclass
class StepRunner:
    """Runs a compiled pipeline on this machine, once.

    Attributes:
        pipeline: The pipeline to run.
        values: Value of each run-time parameter.
        engine: Runs the commands of the steps.
        workspace: Where all files go.
        run_id: Id of the run, see `Workspace.start_run`.
        mounts: What steps see of this machine in addition to artifacts.
        results: Result of each step so far.
        outputs: Outputs of each step so far.
        found: What the gate decided and what was pushed so far.
    """

    pipeline: CompiledPipeline
    values: Mapping[str, Any]
    engine: StepEngine
    workspace: Workspace
    run_id: str
    mounts: tuple[Mount, ...] = ()
    results: list[NodeResult] = dataclasses.field(default_factory=list)
    outputs: dict[str, StepOutputs] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        # Imported here because it imports TFX.
        from pipeline.results.run_findings import RunFindings

        self.found = RunFindings()
        self._service = make_service(self.pipeline)
        self._cache = driver.Cache(self.workspace.cache(self.pipeline.name))
        self._launcher = Launcher(
            engine=self.engine,
            service=self._service,
            workspace=self.workspace,
            run_id=self.run_id,
            mounts=self.mounts,
        )

    def run(self, progress: ProgressLines) -> None:
        """Run all steps until one fails or all are done.

        Raises:
            ComponentError: If a step fails. The steps after it do not run.
        """
        steps = read_steps(self.pipeline)
        progress.nodes_known([step.name for step in steps])
        for index, step in enumerate(steps, start=1):
            progress.node_started(index, len(steps), step.name)
            started, error = time.monotonic(), None
            result = NodeResult(id=step.name, state='failed')
            try:
                state, outputs = self._execute(step)
                note = self._describe(step.name, outputs)
                result = NodeResult(id=step.name, state=state, note=note)
                self.outputs[step.name] = outputs
            except ReviewsError as err:
                error = err
            seconds = round(time.monotonic() - started, 3)
            self.results.append(dataclasses.replace(result, seconds=seconds))
            progress.node_finished(index, len(steps), self.results[-1])
            if error is not None:
                self.results += [NodeResult(id=s.name, state='skipped') for s in steps[index:]]
                raise error

    def _execute(self, step: Step) -> tuple[State, StepOutputs]:
        """Run a step, or take its outputs from the cache."""
        inputs = driver.resolve_inputs(step, self.outputs, self.values, self._service)
        provisioned = driver.provision_outputs(step, self._service, run_id=self.run_id)
        artifacts = {
            key: {'artifacts': [self._service.output_artifact(artifact)]}
            for key, artifact in provisioned.items()
        }
        artifacts |= {
            key: {'artifacts': [artifact]}
            for key, artifact in self._service.added_outputs(self.run_id, step.name).items()
        }
        executor_input = {'inputs': inputs, 'outputs': {'artifacts': artifacts}}
        if self._service.runs_pre_cache_check:
            self._launcher.run_pre_cache_check(step, executor_input)
        key = driver.compute_cache_key(step, inputs)
        cached = self._cache.find(key) if step.cached else None
        if cached is not None:
            return 'cached', cached
        outputs = self._launcher.run(step, executor_input, provisioned)
        if step.cached:
            self._cache.add(key, outputs)
        return 'executed', outputs

    def _describe(self, name: str, outputs: StepOutputs) -> str:
        """Add the outputs of a step to the findings; return a line on what it found or made."""
        import tensorflow as tf

        artifacts: Any = {
            key: [LocalArtifact(uri=str(self.workspace.find(a.uri)), metadata=a.metadata)]
            for key, a in outputs.artifacts.items()
        }
        try:
            return self.found.add(name, artifacts)
        except (OSError, LookupError, ValueError, tf.errors.OpError) as err:
            raise ComponentError(
                f'{name} succeeded, but its outputs cannot be read: {type(err).__name__}: {err}',
                hint='look at its log',
            ) from err
