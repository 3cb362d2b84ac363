"""Plays the pods of a run: starts KFP's driver and launcher as processes.

A step runs the project's own command with this Python. It sees the folders of the claims that
its specification mounts, and no others.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.conftest import REPO
from tests.kubeflow import cloud_storage, kubernetes, namespaces

# Where driver and launcher write.
_OUTPUTS = '/tmp/outputs'
_SCRATCH = ('/tmp/kfp', '/tmp/kfp_outputs')
_POLL_SECONDS = 1.0
_TAIL_LINES = 40


class UnplayedError(Exception):
    """The Workflow has something that is not played here."""


class PodFailedError(Exception):
    """A container ended with an exit code other than 0, or was stopped; has the end of its log."""


class Pods:
    """Starts the containers of all runs.

    Args:
        programs: Folder with driver and launcher.
        logs: Folder for the logs.
        claims: Folder of each PersistentVolumeClaim, by name.
    """

    def __init__(
        self, programs: pathlib.Path, logs: pathlib.Path, claims: Mapping[str, pathlib.Path]
    ) -> None:
        self._programs = programs
        self._logs = logs
        self._claims = claims
        host, port = kubernetes.ADDRESS
        self._environment = {
            **cloud_storage.ENVIRONMENT,
            'PATH': f'{pathlib.Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin',
            'HOME': '/tmp',
            # 3.0 has it from the metadata of the pod.
            'NAMESPACE': 'kubeflow',
            'KUBERNETES_SERVICE_HOST': host,
            'KUBERNETES_SERVICE_PORT': str(port),
            # KFP 2.5 has them from the ConfigMap metadata-grpc-configmap.
            'METADATA_GRPC_SERVICE_HOST': namespaces.METADATA_SERVICE,
            'METADATA_GRPC_SERVICE_PORT': '8080',
        }

    def run_driver(
        self, pod: str, template: Mapping[str, Any], args: Sequence[str], stop: Callable[[], bool]
    ) -> dict[str, str]:
        """Run a driver; return its output parameters.

        Raises:
            PodFailedError: If it fails or is stopped.
        """
        shutil.rmtree(_OUTPUTS, ignore_errors=True)
        self._run(pod, [str(self._programs / 'driver'), *args], self._environment, stop)
        outputs = {}
        for output in template.get('outputs', {}).get('parameters', []):
            path = pathlib.Path(output['valueFrom']['path'])
            default = output['valueFrom'].get('default', '')
            outputs[output['name']] = path.read_text('utf-8') if path.exists() else default
        return outputs

    def run_launcher(
        self, pod: str, template: Mapping[str, Any], patch: str, stop: Callable[[], bool]
    ) -> None:
        """Run a launcher with its step.

        Args:
            pod: Name of the pod.
            template: Template of the Workflow.
            patch: Patch of the pod, which the driver has written.
            stop: Whether to end it before its time.

        Raises:
            PodFailedError: If it fails or is stopped.
            UnplayedError: If it needs more of Kubernetes than is played.
        """
        patched = json.loads(patch)
        (main,) = (one for one in patched['containers'] if one['name'] == 'main')
        volumes = {
            v['name']: v for v in [*template.get('volumes', []), *patched.get('volumes', [])]
        }
        setup = [f'mkdir -p {path} && mount -t tmpfs none {path}' for path in _SCRATCH]
        mounts = [*template['container'].get('volumeMounts', []), *main.get('volumeMounts', [])]
        setup += [self._mount_command(volumes[one['name']], one['mountPath']) for one in mounts]
        environment = {**self._environment, 'PYTHONPATH': str(REPO)}
        environment.update(_variables(main))
        words = [*main.get('command', []), *main.get('args', [])]
        script = ' && '.join([*setup, 'exec "$@"'])
        launcher = [str(self._programs / 'launcher-v2'), *words[1:]]
        # A mount namespace of its own, as a container has.
        command = ['unshare', '--mount', 'sh', '-c', script, 'sh', *launcher]
        self._run(pod, command, environment, stop)

    def _run(
        self,
        pod: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        stop: Callable[[], bool],
    ) -> None:
        log = self._logs / f'{pod}.log'
        complete = {**environment, 'KFP_POD_NAME': pod, 'KFP_POD_UID': f'uid-of-{pod}'}
        words = [
            re.sub(r'\$\((\w+)\)', lambda match: complete.get(match[1], match[0]), word)
            for word in command
        ]
        with (
            log.open('w') as file,
            subprocess.Popen(
                words,
                env=complete,
                cwd='/tmp',
                stdout=file,
                stderr=file,
                start_new_session=True,
            ) as process,
        ):
            code = None
            while code is None:
                try:
                    code = process.wait(_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    if stop():
                        os.killpg(process.pid, signal.SIGTERM)
        if code:
            tail = log.read_text('utf-8', errors='replace').splitlines()[-_TAIL_LINES:]
            raise PodFailedError('\n'.join([*tail, f'{pod} ended with exit code {code}']))

    def _mount_command(self, volume: Mapping[str, Any], path: str) -> str:
        folder = shlex.quote(path)
        claim = volume.get('persistentVolumeClaim', {}).get('claimName')
        if claim in self._claims:
            commands = [f'mount --bind {shlex.quote(str(self._claims[claim]))} {folder}']
        else:
            files = _files(volume)
            commands = [
                f'mount -t tmpfs none {folder}',
                *(f'printf %s {shlex.quote(files[name])} > {folder}/{name}' for name in files),
            ]
        return ' && '.join([f'mkdir -p {folder}', *commands])


def _files(volume: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the content of each file of a volume."""
    if 'emptyDir' in volume:
        return {}
    if 'configMap' in volume:
        return kubernetes.CONFIG_MAPS[volume['configMap']['name']]
    if 'secret' in volume:
        return kubernetes.SECRETS[volume['secret']['secretName']]
    if 'projected' in volume:
        # The launcher of 3.0 passes the token to the API, which does not read it here.
        sources = volume['projected']['sources']
        return {source['serviceAccountToken']['path']: 'token' for source in sources}
    raise UnplayedError(f'the volume {volume}')


def _variables(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables of a container, without those about its pod."""
    found = {}
    for variable in container.get('env', []):
        source = variable.get('valueFrom', {})
        if 'secretKeyRef' in source:
            reference = source['secretKeyRef']
            found[variable['name']] = kubernetes.SECRETS[reference['name']][reference['key']]
        elif not source:
            found[variable['name']] = variable.get('value', '')
    return found
