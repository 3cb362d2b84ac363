"""Runs the steps of a compiled pipeline in their order, as its service would."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from components.common.errors import ReviewsError
from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.rehearsal import driver
from pipeline.cloud.rehearsal.engine import Engine, Mount
from pipeline.cloud.rehearsal.launcher import Launcher, Place
from pipeline.cloud.rehearsal.objects import ObjectStore
from pipeline.cloud.rehearsal.service import service_of
from pipeline.cloud.rehearsal.spec import Step, check_parameters, read_steps
from pipeline.cloud.rehearsal.store import MetadataStore, Produced, StoredArtifact
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.results.outcome import NodeResult, State


class RehearsalObserver(Protocol):
    """Who is told how a rehearsal goes."""

    def nodes_known(self, node_ids: Sequence[str]) -> None:
        """Hear which steps there are, in their order."""

    def node_started(self, index: int, total: int, node_id: str) -> None:
        """Hear that a step begins; `index` counts from 1."""

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        """Hear that a step has ended, one way or the other."""


class Notes(Protocol):
    """Who says in one line what a step found or made."""

    def note(self, step: str, produced: Produced) -> str:
        """Return the line; empty if there is nothing to say."""


@dataclasses.dataclass
class Rehearsal:
    """One run of a compiled pipeline on this machine.

    Attributes:
        pipeline: What is run.
        values: The value of each run-time parameter that the run request gives.
        engine: Runs the commands.
        workspace: Where everything goes.
        run_id: Name of the run, not used before.
        mounts: What steps see of this machine beside what the target mounts.
        results: How each step went, so far.
        produced: What each step put out, so far.
        current: The step that runs, or failed.
    """

    pipeline: CompiledPipeline
    values: Mapping[str, Any]
    engine: Engine
    workspace: Workspace
    run_id: str
    mounts: tuple[Mount, ...] = ()
    results: list[NodeResult] = dataclasses.field(default_factory=list)
    produced: dict[str, Produced] = dataclasses.field(default_factory=dict)
    current: str = ''

    def run(self, observer: RehearsalObserver, notes: Notes) -> None:
        """Run all steps until one fails or all are done.

        Args:
            observer: Is told of each step.
            notes: Tells what a step found.

        Raises:
            ConfigError: If the service would refuse the specification or a
                parameter; nothing has run then.
            ComponentError: If a step failed; those after it did not run.
        """
        steps = read_steps(self.pipeline)
        parameters = check_parameters(self.pipeline, self.values)
        images = {step.container['image'] for step in steps if step.container}
        self.engine.prepare(sorted(images))
        service = service_of(self.pipeline)
        store = MetadataStore(self.workspace.store, self.pipeline.name)
        one = _StepRun(
            rehearsal=self,
            launcher=Launcher(
                engine=self.engine,
                service=service,
                objects=ObjectStore(self.workspace.objects),
                mounts=self.mounts,
            ),
            store=store,
            parameters=parameters,
        )
        observer.nodes_known([step.name for step in steps])
        for index, step in enumerate(steps, start=1):
            self.current = step.name
            observer.node_started(index, len(steps), step.name)
            result, error = self._run_step(one, step, notes)
            self.results.append(result)
            observer.node_finished(index, len(steps), result)
            if error is not None:
                self.results += [NodeResult(id=s.name, state='skipped') for s in steps[index:]]
                raise error

    def _run_step(
        self, one: _StepRun, step: Step, notes: Notes
    ) -> tuple[NodeResult, ReviewsError | None]:
        began = time.monotonic()
        result, error = NodeResult(id=step.name, state='failed'), None
        try:
            state, produced = one.execute(step)
            self.produced[step.name] = produced
            result = NodeResult(id=step.name, state=state, note=notes.note(step.name, produced))
        except ReviewsError as err:
            error = err
        return dataclasses.replace(result, seconds=round(time.monotonic() - began, 3)), error


@dataclasses.dataclass(frozen=True, kw_only=True)
class _StepRun:
    """Takes a step from what goes into it to what it put out."""

    rehearsal: Rehearsal
    launcher: Launcher
    store: MetadataStore
    parameters: Mapping[str, Any]

    def execute(self, step: Step) -> tuple[State, Produced]:
        inputs = driver.resolve_artifacts(step, self.rehearsal.produced, self.launcher.service)
        if step.container is None:
            found = driver.run_resolver(step, inputs, self.store, self.launcher.service)
            self._publish(step, 'executed', inputs, Produced(parameters=found.parameters))
            return 'executed', found
        values = driver.resolve_parameters(step, self.rehearsal.produced, self.parameters)
        return self._run_container(step, inputs, values)

    def _run_container(
        self, step: Step, inputs: Mapping[str, StoredArtifact], values: Mapping[str, Any]
    ) -> tuple[State, Produced]:
        service, run_id = self.launcher.service, self.rehearsal.run_id
        place = Place(
            folder=self.rehearsal.workspace.step_folder(run_id, step.name),
            log=self.rehearsal.workspace.log(run_id, step.name),
        )
        place.folder.mkdir(parents=True, exist_ok=True)
        outputs = driver.provision(
            step, self.store, service, run=run_id, salt=uuid.uuid4().hex[:12]
        )
        given = driver.executor_input(inputs, values, outputs, service)
        if service.runs_pre_cache_check:
            given = self.launcher.check_before_cache(step, given, place)
            values = given['inputs']['parameterValues']
        key = driver.cache_key(step, inputs, values, service) if step.cached else ''
        cached = self.store.find_cached(key) if key else None
        if cached is not None:
            self._publish(step, 'cached', inputs, cached)
            return 'cached', cached
        try:
            produced = self.launcher.run(step, given, outputs, place)
        except ReviewsError:
            self._publish(step, 'failed', inputs, Produced())
            raise
        self._publish(step, 'executed', inputs, produced, key)
        return 'executed', produced

    def _publish(
        self,
        step: Step,
        state: State,
        inputs: Mapping[str, StoredArtifact],
        produced: Produced,
        key: str = '',
    ) -> None:
        self.store.publish(
            run=self.rehearsal.run_id,
            step=step.name,
            state=state,
            inputs={name: artifact.id for name, artifact in inputs.items()},
            outputs=produced,
            cache_key=key,
        )
