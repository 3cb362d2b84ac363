"""The commands of docs/cloud.md, as they are, against fakes of the services over HTTP."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Mapping

import pytest

from pipeline.cloud.targets import Target
from tests.conftest import REPO, call_command
from tests.pipeline.cloud.clients.fake_kubeflow import FakeKubeflow
from tests.pipeline.cloud.clients.fake_vertex import FakeVertex
from tests.played import Server

_HEADINGS = {'kubeflow': '## Kubeflow Pipelines\n', 'vertex': '## Vertex AI\n'}
_PROGRAMS = ('make', '.', 'docker', 'kubectl', 'gcloud')


def documented(target: Target) -> tuple[str, list[list[str]]]:
    """Return the settings file, and the commands as words, without rehearsals."""
    page = (REPO / 'docs/cloud.md').read_text(encoding='utf-8')
    section = page.partition(_HEADINGS[target])[2].partition('\n## ')[0]
    settings, *_ = re.findall(r'```yaml\n(.*?)```', section, re.DOTALL)
    commands = []
    for block in re.findall(r'```sh\n(.*?)```', section, re.DOTALL):
        for line in block.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] == ['python', 'pipeline_runner.py']:
                commands.append(words[2:])
            else:
                assert not words or words[0] in _PROGRAMS
    return settings, [words for words in commands if words[0] != 'rehearse']


def follow(
    target: Target, folder: pathlib.Path, replacements: Mapping[str, str], *more: str
) -> dict[str, set[int]]:
    """Run the documented commands in their order, and return the exit codes of each.

    Args:
        target: The service.
        folder: Working directory.
        replacements: Placeholders and addresses, and what they are replaced by.
        more: Further words of each command.
    """
    settings, commands = documented(target)
    values = dict(replacements)
    codes: dict[str, set[int]] = {}
    for old, new in values.items():
        settings = settings.replace(old, new)
    (folder / f'{target}.yaml').write_text(settings, encoding='utf-8')
    for command in commands:
        words = list(command)
        for old, new in values.items():
            words = [word.replace(old, new) for word in words]
        done = call_command(*words, *more, cwd=folder)
        name = words[0] if words[0] == 'submit' else ' '.join(words[:2])
        codes.setdefault(f'{name} --wait' if '--wait' in words else name, set()).add(done.code)
        if words[0] == 'submit':
            values['RUN'] = re.findall(r'/runs/(?:details/)?([\w-]+)', done.out)[0]
    return codes


def expected_codes(*, followed: int) -> dict[str, set[int]]:
    """Return the exit codes if runs that are followed end with one, and all others with 0."""
    commands = ('create', 'list', 'show', 'pause', 'resume', 'delete')
    schedules = {f'schedule {command}': {0} for command in commands}
    return {'submit --wait': {followed}, 'submit': {0}, 'runs follow': {followed}, **schedules}


# Before 3.0, the API does not tell what the Pusher did, and nobody here can read minio://.
@pytest.mark.parametrize(('version', 'code_of_followed_runs'), [(2, 8), (3, 0)])
def test_commands_for_kubeflow_end_as_documented_when_followed(
    version: int,
    code_of_followed_runs: int,
    kubeflow_server: Server,
    fake_kubeflow: FakeKubeflow,
    tmp_path: pathlib.Path,
) -> None:
    fake_kubeflow.version, fake_kubeflow.states = version, ('SUCCEEDED',)
    codes = follow('kubeflow', tmp_path, {'http://127.0.0.1:8080': kubeflow_server.url})
    assert codes == expected_codes(followed=code_of_followed_runs)
    assert (len(fake_kubeflow.runs), fake_kubeflow.recurring) == (2, {})


def test_commands_for_vertex_end_as_documented_when_followed(
    vertex_server: Server,
    fake_vertex: FakeVertex,
    google_credentials: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    fake_vertex.states = ('SUCCEEDED',)
    names = {'PROJECT': 'films', 'BUCKET': 'films'}
    codes = follow('vertex', tmp_path, names, '--host', vertex_server.url)
    assert codes == expected_codes(followed=0)
    assert (len(fake_vertex.jobs), fake_vertex.schedules) == (2, {})
