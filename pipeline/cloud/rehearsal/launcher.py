"""Emulates the launcher of a service: runs the container of a step, and collects its outputs.

Kubeflow mounts no bucket. Its launcher copies the inputs of a step to a path in
the step's container, and copies what the step wrote at the paths of its outputs
back to the store (kubeflow/pipelines, backend/src/v2/component/launcher_v2.go).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from components.common.entry_point import MOUNTS_VARIABLE
from components.common.errors import StepFailedError
from pipeline.cloud.rehearsal.engines import Mount, StepEngine, read_failure
from pipeline.cloud.rehearsal.services import Service
from pipeline.cloud.rehearsal.steps import Step, StepOutputs, StoredArtifact
from pipeline.cloud.rehearsal.workspace import SCHEMES, Workspace, local_path

# Where a container writes its reports.
_REPORTS = '/tmp/kfp_outputs'
_REPORT_FILE = 'output_metadata.json'

_EXECUTOR_INPUT = '{{$}}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launcher:
    """Runs the containers of one run.

    Attributes:
        engine: Runs commands.
        service: The service that is emulated.
        workspace: Where all files go.
        run_id: Id of the run.
        mounts: Folders and files of this machine that every step sees.
    """

    engine: StepEngine
    service: Service
    workspace: Workspace
    run_id: str
    mounts: tuple[Mount, ...]

    def run_pre_cache_check(self, step: Step, executor_input: dict[str, Any]) -> None:
        """Run the `preCacheCheck` of a container, and add what it reports to its input.

        The report stays where the step itself looks for it, as on Vertex.

        Raises:
            StepFailedError: If the command fails.
        """
        hook = step.container.get('lifecycle', {}).get('preCacheCheck')
        if hook:
            container = {**step.container, **hook}
            report = self._execute(step, container, executor_input, f'the driver of {step.name}')
            parameters = report.get('parameterValues', {})
            executor_input['inputs']['parameterValues'].update(parameters)

    def run(
        self, step: Step, executor_input: dict[str, Any], outputs: Mapping[str, StoredArtifact]
    ) -> StepOutputs:
        """Run the container of a step, and return its outputs.

        Args:
            step: The step.
            executor_input: The `ExecutorInput`, without the files that the step reports to.
            outputs: The provisioned output artifacts.

        Raises:
            StepFailedError: If the command fails, or an output is missing.
            ComponentError: If a reported URI is not one of the object store.
        """
        parameters = step.outputs.get('parameters', {})
        if parameters:
            executor_input['outputs']['parameters'] = {
                key: {'outputFile': f'{self._reports(step)}/{key}'} for key in parameters
            }
        made = executor_input['outputs']['artifacts']
        folder = self._folder(step)
        mounts = folder / 'mounts'
        if self.service.copies_artifacts:
            for found in executor_input['inputs']['artifacts'].values():
                uri = found['artifacts'][0]['uri']
                _copy(self.workspace.find(uri), mounts / local_path(uri))
            for found in made.values():
                target = mounts / local_path(found['artifacts'][0]['uri'])
                target.parent.mkdir(parents=True, exist_ok=True)
        report = self._execute(step, step.container, executor_input, step.name)
        artifacts = {}
        for key, artifact in outputs.items():
            (found,) = made[key]['artifacts']
            uri = found['uri']
            metadata = self.service.recorded_metadata(key, found.get('metadata', {}))
            artifacts[key] = dataclasses.replace(artifact, uri=uri, metadata=metadata)
            if self.service.copies_artifacts:
                # As on the branch of 3.0; 2.x only warns.
                if not (mounts / local_path(uri)).exists():
                    raise StepFailedError(
                        f'{step.name} failed: its output {key!r} is missing at /{local_path(uri)}',
                        hint='let the step create a file or a folder for each of its outputs',
                    )
                _copy(mounts / local_path(uri), self.workspace.find(uri))
        shutil.rmtree(mounts, ignore_errors=True)
        reported = report.get('parameterValues', {})
        values = {
            key: reported.get(key) or (folder / 'reports' / key).read_text('utf-8')
            for key in parameters
        }
        return StepOutputs(artifacts=artifacts, parameters=values)

    def _folder(self, step: Step) -> pathlib.Path:
        return self.workspace.step_folder(self.run_id, step.name)

    def _reports(self, step: Step) -> str:
        """Return the folder for the reports of a step, as the step sees it."""
        return _REPORTS if self.engine.in_container else str(self._folder(step) / 'reports')

    def _execute(
        self, step: Step, container: Mapping[str, Any], executor_input: dict[str, Any], title: str
    ) -> dict[str, Any]:
        """Run a command, merge its `ExecutorOutput` into the output artifacts, and return it."""
        folder = self._folder(step)
        reports = folder / 'reports'
        mounts = [Mount(source=reports, target=_REPORTS)]
        environment = list(container.get('env', ()))
        if self.service.copies_artifacts:
            stores = folder / 'mounts'
            mounts += [Mount(source=stores / name, target=f'/{name}') for name in SCHEMES]
            if not self.engine.in_container:
                environment.append({'name': MOUNTS_VARIABLE, 'value': str(stores)})
        for mount in mounts:
            mount.source.mkdir(parents=True, exist_ok=True)
        if self.engine.in_container:
            open_folders(folder)
        executor_input['outputs']['outputFile'] = f'{self._reports(step)}/{_REPORT_FILE}'
        value = json.dumps(executor_input, sort_keys=True)
        words = {
            part: [value if word == _EXECUTOR_INPUT else word for word in container[part]]
            for part in ('command', 'args')
        }
        log = self.workspace.log(self.run_id, step.name)
        complete = {**container, **words, 'env': environment}
        code = self.engine.run(complete, mounts=[*self.mounts, *mounts], log=log)
        if code:
            raise read_failure(title, code, log)
        path = reports / _REPORT_FILE
        report: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
        made = executor_input['outputs']['artifacts']
        for key, found in report.get('artifacts', {}).items():
            reported, artifact = found['artifacts'][0], made[key]['artifacts'][0]
            artifact['uri'] = reported.get('uri') or artifact['uri']
            artifact['metadata'] = {**artifact.get('metadata', {}), **reported.get('metadata', {})}
        return report


def open_folders(folder: pathlib.Path) -> None:
    """Let every user write to a folder and the folders in it."""
    for parent, _, _ in os.walk(folder):
        # A folder that a step created belongs to the step's user, who can write to it.
        with contextlib.suppress(PermissionError):
            os.chmod(parent, 0o777)


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.is_file():
        shutil.copyfile(source, target)
