"""Plays the launcher of a service: runs the container of a step, and collects its outputs."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import os
import pathlib
import posixpath
import shutil
from collections.abc import Mapping
from typing import Any

from components.common.entry_point import MOUNTS_VARIABLE
from components.common.errors import ComponentError
from pipeline.cloud.rehearsal.compiled_steps import Step
from pipeline.cloud.rehearsal.played_cache import StepOutputs, StoredArtifact
from pipeline.cloud.rehearsal.played_object_store import SCHEMES, PlayedObjectStore, local_path
from pipeline.cloud.rehearsal.played_services import PlayedService
from pipeline.cloud.rehearsal.step_engines import Mount, StepEngine, read_failure

# Where a container writes its reports.
_REPORTS = '/tmp/kfp_outputs'
_REPORT_FILE = 'output_metadata.json'
_PARAMETERS = 'parameters'

_EXECUTOR_INPUT = '{{$}}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepFiles:
    """Where the files of one execution of a step are.

    Attributes:
        folder: A folder for this execution alone.
        log: The file for everything that its commands print.
    """

    folder: pathlib.Path
    log: pathlib.Path

    @property
    def mounts(self) -> pathlib.Path:
        """Folder that stands for `/` in the container, where object stores are mounted."""
        return self.folder / 'mounts'

    @property
    def reports(self) -> pathlib.Path:
        """Folder for the `ExecutorOutput` and the output parameters."""
        return self.folder / 'reports'


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayedLauncher:
    """Runs the containers of one run.

    Attributes:
        engine: Runs commands.
        service: The service whose launcher is played.
        objects: The object store, for a service that copies artifacts.
        mounts: Folders and files of this machine that every step sees.
    """

    engine: StepEngine
    service: PlayedService
    objects: PlayedObjectStore
    mounts: tuple[Mount, ...]

    def run_pre_cache_check(
        self, step: Step, executor_input: Mapping[str, Any], files: StepFiles
    ) -> dict[str, Any]:
        """Run the `preCacheCheck` of a container, and return the changed `ExecutorInput`.

        The report stays where the step itself looks for it, as on Vertex.

        Raises:
            ComponentError: If the command fails.
        """
        changed = copy.deepcopy(dict(executor_input))
        hook = step.container.get('lifecycle', {}).get('preCacheCheck')
        if not hook:
            return changed
        container = {**step.container, 'command': hook.get('command'), 'args': hook.get('args')}
        self._execute(f'the driver of {step.name}', container, changed, files)
        report = _read_report(step.name, files)
        changed['inputs']['parameterValues'].update(report.get('parameterValues', {}))
        for key, output in changed['outputs']['artifacts'].items():
            _merge_report(output['artifacts'][0], report, key)
        return changed

    def run(
        self,
        step: Step,
        executor_input: Mapping[str, Any],
        outputs: Mapping[str, StoredArtifact],
        files: StepFiles,
    ) -> StepOutputs:
        """Run the container of a step, and return its outputs.

        Args:
            step: The step.
            executor_input: The `ExecutorInput`, see `played_driver`.
            outputs: The provisioned output artifacts.
            files: Where the files of this execution go.

        Raises:
            ComponentError: If the command fails, or its report is not as declared.
        """
        complete = copy.deepcopy(dict(executor_input))
        if step.output_parameters:
            complete['outputs']['parameters'] = self._parameter_files(step, files)
        if self.service.copies_artifacts:
            self._download_inputs(complete, files)
        self._execute(step.name, step.container, complete, files)
        report = _read_report(step.name, files)
        artifacts = {}
        for key, artifact in outputs.items():
            made = complete['outputs']['artifacts'][key]['artifacts'][0]
            _merge_report(made, report, key)
            metadata = self.service.recorded_metadata(key, made.get('metadata', {}))
            artifacts[key] = dataclasses.replace(artifact, uri=made['uri'], metadata=metadata)
            if self.service.copies_artifacts:
                self.objects.upload(made['uri'], files.mounts)
        if self.service.copies_artifacts:
            shutil.rmtree(files.mounts, ignore_errors=True)
        return StepOutputs(
            artifacts=artifacts, parameters=_read_output_parameters(step, report, files)
        )

    def _parameter_files(self, step: Step, files: StepFiles) -> dict[str, Any]:
        """Return the `outputFile` of each output parameter, as the step sees it."""
        folder = files.reports / _PARAMETERS
        folder.mkdir(parents=True, exist_ok=True)
        seen = self.engine.path_of(Mount(source=folder, target=f'{_REPORTS}/{_PARAMETERS}'))
        return {key: {'outputFile': posixpath.join(seen, key)} for key in step.output_parameters}

    def _download_inputs(self, executor_input: Mapping[str, Any], files: StepFiles) -> None:
        """Copy the inputs to where the step finds them, and create the parents of the outputs."""
        for found in executor_input['inputs']['artifacts'].values():
            self.objects.download(found['artifacts'][0]['uri'], files.mounts)
        for found in executor_input['outputs']['artifacts'].values():
            target = files.mounts / local_path(found['artifacts'][0]['uri'])
            target.parent.mkdir(parents=True, exist_ok=True)

    def _execute(
        self,
        what: str,
        container: Mapping[str, Any],
        executor_input: dict[str, Any],
        files: StepFiles,
    ) -> None:
        """Run a command with this input; `what` names it in the message if it fails."""
        reports = Mount(source=files.reports, target=_REPORTS)
        files.reports.mkdir(parents=True, exist_ok=True)
        executor_input['outputs']['outputFile'] = posixpath.join(
            self.engine.path_of(reports), _REPORT_FILE
        )
        mounts = [*self.mounts, reports]
        environment = {}
        for scheme in SCHEMES if self.service.copies_artifacts else ():
            store = Mount(source=files.mounts / scheme, target=f'/{scheme}')
            store.source.mkdir(parents=True, exist_ok=True)
            mounts.append(store)
            if self.engine.path_of(store) != store.target:
                environment[MOUNTS_VARIABLE] = str(files.mounts)
        if self.engine.needs_open_folders:
            open_folders(files.folder)
        parts = {
            part: [_fill_in(what, word, executor_input) for word in container.get(part) or ()]
            for part in ('command', 'args')
        }
        code = self.engine.run(
            {**container, **parts}, environment=environment, mounts=mounts, log=files.log
        )
        if code:
            raise read_failure(what, code, files.log)


def open_folders(folder: pathlib.Path) -> None:
    """Let every user write to a folder and the folders in it."""
    for parent, _, _ in os.walk(folder):
        # A folder that a step created belongs to the step's user, who can write to it.
        with contextlib.suppress(PermissionError):
            os.chmod(parent, 0o777)


def _fill_in(what: str, word: str, executor_input: Mapping[str, Any]) -> str:
    """Replace the placeholder of the `ExecutorInput`; TFX compiles no other one."""
    if word == _EXECUTOR_INPUT:
        return json.dumps(executor_input, sort_keys=True)
    if '{{$' in word:
        raise ComponentError(
            f'{what}: expected the placeholder {_EXECUTOR_INPUT} only, got {word}',
            hint='a rehearsal knows no other placeholder in the command of a container',
        )
    return word


def _merge_report(artifact: dict[str, Any], report: Mapping[str, Any], key: str) -> None:
    """Merge into an artifact what an `ExecutorOutput` reports for it."""
    for found in report.get('artifacts', {}).get(key, {}).get('artifacts', ())[:1]:
        if found.get('uri'):
            artifact['uri'] = found['uri']
        artifact['metadata'] = {**artifact.get('metadata', {}), **found.get('metadata', {})}


def _read_report(name: str, files: StepFiles) -> dict[str, Any]:
    """Return the `ExecutorOutput` that a step wrote, empty if it wrote none."""
    path = files.reports / _REPORT_FILE
    if not path.is_file():
        return {}
    try:
        report = json.loads(path.read_bytes())
    except ValueError:
        report = None
    if not isinstance(report, dict):
        raise ComponentError(
            f'{name} must write a JSON object as its output file, got something else',
            hint=f'look at {path}',
        )
    return report


def _read_output_parameters(
    step: Step, report: Mapping[str, Any], files: StepFiles
) -> dict[str, Any]:
    """Return the output parameters: each from the report, or else from a file of its own."""
    found = dict(report.get('parameterValues', {}))
    for key, definition in step.output_parameters.items():
        path = files.reports / _PARAMETERS / key
        if key in found:
            continue
        try:
            text = path.read_text(encoding='utf-8')
            found[key] = text if definition.get('parameterType') == 'STRING' else json.loads(text)
        except (OSError, ValueError) as err:
            raise ComponentError(
                f'{step.name} must write its output parameter {key!r}: {err}',
                hint=f'expected it in the output file, or in {path}',
            ) from err
    return {key: found[key] for key in step.output_parameters}
