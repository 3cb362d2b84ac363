"""Plays the launcher: fills in placeholders, runs the command, reads what it reports."""

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
from pipeline.cloud.rehearsal.engine import Engine, Mount
from pipeline.cloud.rehearsal.objects import SCHEMES, ObjectStore, local_path
from pipeline.cloud.rehearsal.placeholders import fill_in
from pipeline.cloud.rehearsal.service import Service
from pipeline.cloud.rehearsal.spec import Step
from pipeline.cloud.rehearsal.step_failure import step_failed
from pipeline.cloud.rehearsal.store import Produced, StoredArtifact

# Where a step is to report, in its container.
_REPORTS = '/tmp/kfp_outputs'
_REPORT_FILE = 'output_metadata.json'
_PARAMETERS = 'parameters'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where the files of one execution of a step go.

    Attributes:
        folder: For its use alone.
        log: Gets what its commands print.
    """

    folder: pathlib.Path
    log: pathlib.Path

    @property
    def mounts(self) -> pathlib.Path:
        """Stands for the root of the step's file system, where stores are mounted."""
        return self.folder / 'mounts'

    @property
    def reports(self) -> pathlib.Path:
        """Where the step writes its `ExecutorOutput`."""
        return self.folder / 'reports'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launcher:
    """Runs the containers of one run.

    Attributes:
        engine: Runs commands.
        service: Whose launcher is played.
        objects: The object store, if the service copies artifacts.
        mounts: What every step sees of this machine.
    """

    engine: Engine
    service: Service
    objects: ObjectStore
    mounts: tuple[Mount, ...]

    def check_before_cache(
        self, step: Step, executor_input: Mapping[str, Any], place: Place
    ) -> dict[str, Any]:
        """Run what a container declares as `preCacheCheck`, and return the changed input.

        What it reports also stays where the step itself looks for it, as on
        Vertex.

        Args:
            step: The step.
            executor_input: Its `ExecutorInput`.
            place: Where its files go.

        Raises:
            ComponentError: If it fails.
        """
        assert step.container is not None
        changed = copy.deepcopy(dict(executor_input))
        hook = step.container.get('lifecycle', {}).get('preCacheCheck')
        if not hook:
            return changed
        container = {**step.container, 'command': hook.get('command'), 'args': hook.get('args')}
        self._execute(f'the driver of {step.name}', container, changed, place)
        reported = _read_report(step.name, place)
        changed['inputs']['parameterValues'].update(reported.get('parameterValues', {}))
        for key, output in changed['outputs']['artifacts'].items():
            _take_over(output['artifacts'][0], reported, key)
        return changed

    def run(
        self,
        step: Step,
        executor_input: Mapping[str, Any],
        outputs: Mapping[str, StoredArtifact],
        place: Place,
    ) -> Produced:
        """Run the container of a step, and return what it put out.

        Args:
            step: The step.
            executor_input: Its `ExecutorInput`.
            outputs: The artifacts that it is to make.
            place: Where its files go.

        Raises:
            ComponentError: If its command fails, or does not report what it must.
        """
        assert step.container is not None
        complete = copy.deepcopy(dict(executor_input))
        if step.output_parameters:
            self._add_output_parameters(step, complete, place)
        if self.service.keeps_objects:
            self._bring(complete, place)
        self._execute(step.name, step.container, complete, place)
        reported = _read_report(step.name, place)
        produced = Produced(
            artifacts={
                key: self._made(key, artifact, complete, reported)
                for key, artifact in outputs.items()
            },
            parameters=_output_parameters(step, reported, place),
        )
        if self.service.keeps_objects:
            for artifact in produced.artifacts.values():
                self.objects.upload(artifact.uri, place.mounts)
            shutil.rmtree(place.mounts, ignore_errors=True)
        return produced

    def _add_output_parameters(
        self, step: Step, executor_input: Mapping[str, Any], place: Place
    ) -> None:
        """Say in which file each output parameter is expected."""
        files = place.reports / _PARAMETERS
        files.mkdir(parents=True, exist_ok=True)
        seen = self.engine.path_of(Mount(source=files, target=f'{_REPORTS}/{_PARAMETERS}'))
        executor_input['outputs']['parameters'] = {
            key: {'outputFile': posixpath.join(seen, key)} for key in step.output_parameters
        }

    def _bring(self, executor_input: Mapping[str, Any], place: Place) -> None:
        """Copy the inputs to where the step finds them, and make room for the outputs."""
        for found in executor_input['inputs']['artifacts'].values():
            self.objects.download(found['artifacts'][0]['uri'], place.mounts)
        for found in executor_input['outputs']['artifacts'].values():
            target = place.mounts / local_path(found['artifacts'][0]['uri'])
            target.parent.mkdir(parents=True, exist_ok=True)

    def _execute(
        self,
        what: str,
        container: Mapping[str, Any],
        executor_input: dict[str, Any],
        place: Place,
    ) -> None:
        """Run a command that is given this input; `what` names it if it fails."""
        reports = Mount(source=place.reports, target=_REPORTS)
        seen = self.engine.path_of(reports)
        executor_input['outputs']['outputFile'] = posixpath.join(seen, _REPORT_FILE)
        place.reports.mkdir(parents=True, exist_ok=True)
        environment = {}
        mounts = [*self.mounts, reports]
        if self.service.keeps_objects:
            for scheme in sorted(SCHEMES):
                (place.mounts / scheme).mkdir(parents=True, exist_ok=True)
                store = Mount(source=place.mounts / scheme, target=f'/{scheme}')
                mounts.append(store)
                if self.engine.path_of(store) != store.target:
                    environment[MOUNTS_VARIABLE] = str(place.mounts)
        if self.engine.needs_open_folders:
            open_folders(place.folder)
        filled = {
            **container,
            **{
                part: [fill_in(what, word, executor_input) for word in container.get(part) or ()]
                for part in ('command', 'args')
            },
        }
        code = self.engine.run(filled, environment=environment, mounts=mounts, log=place.log)
        if code:
            raise step_failed(what, code, place.log)

    def _made(
        self,
        key: str,
        artifact: StoredArtifact,
        executor_input: Mapping[str, Any],
        reported: Mapping[str, Any],
    ) -> StoredArtifact:
        """Merge what was provisioned with what the step reports of it."""
        made = copy.deepcopy(executor_input['outputs']['artifacts'][key]['artifacts'][0])
        _take_over(made, reported, key)
        return dataclasses.replace(
            artifact,
            uri=made['uri'],
            metadata=self.service.recorded(key, made.get('metadata', {})),
        )


def open_folders(folder: pathlib.Path) -> None:
    """Let any user write to a folder and those in it."""
    for parent, _, _ in os.walk(folder):
        # What a step made belongs to its user, and is open to it.
        with contextlib.suppress(PermissionError):
            os.chmod(parent, 0o777)


def _take_over(artifact: dict[str, Any], report: Mapping[str, Any], key: str) -> None:
    """Merge into an artifact what an `ExecutorOutput` says of it."""
    for found in report.get('artifacts', {}).get(key, {}).get('artifacts', ())[:1]:
        if found.get('uri'):
            artifact['uri'] = found['uri']
        artifact['metadata'] = {**artifact.get('metadata', {}), **found.get('metadata', {})}


def _read_report(name: str, place: Place) -> dict[str, Any]:
    """Return the `ExecutorOutput` that a step wrote, empty if it wrote none."""
    path = place.reports / _REPORT_FILE
    if not path.is_file():
        return {}
    try:
        report = json.loads(path.read_bytes())
    except ValueError as err:
        raise ComponentError(
            f'{name} wrote an output file that is no JSON: {err}', hint=f'look at {path}'
        ) from err
    if not isinstance(report, dict):
        raise ComponentError(
            f'{name} wrote an output file with a {type(report).__name__}, expected an object',
            hint=f'look at {path}',
        )
    return report


def _output_parameters(step: Step, reported: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the output parameters: from the report, or else each from a file of its own."""
    given = reported.get('parameterValues', {})
    found = {}
    for key, definition in step.output_parameters.items():
        if key in given:
            found[key] = given[key]
            continue
        try:
            text = (place.reports / _PARAMETERS / key).read_text(encoding='utf-8')
            found[key] = text if definition.get('parameterType') == 'STRING' else json.loads(text)
        except (OSError, ValueError) as err:
            raise ComponentError(
                f'{step.name} did not put out its parameter {key!r}: {err}',
                hint='expected it in the output file, or in a file of its own',
            ) from err
    return found
