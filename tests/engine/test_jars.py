"""The messages if Java or Maven is missing."""

from __future__ import annotations

import pathlib
import re

import pytest

from components.common.errors import ComponentError, MissingDependencyError
from tests.engine import jars
from tests.test_makefile import write_program


@pytest.fixture
def programs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A machine whose programs are those in a folder."""
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('JAVA_HOME', raising=False)
    monkeypatch.setattr(jars, 'BUILDS', tmp_path / 'builds')
    return tmp_path


def write_java(programs: pathlib.Path, version: str) -> None:
    write_program(programs / 'java', f'echo \'openjdk version "{version}" 2026-01-01\' >&2')


@pytest.mark.parametrize('version', ['17.0.15', '21.0.9', '25'])
def test_java_is_accepted_when_it_is_new_enough(version: str, programs: pathlib.Path) -> None:
    write_java(programs, version)
    write_program(programs / 'mvn', '')
    jars.require_programs()


@pytest.mark.parametrize(
    ('version', 'message'),
    [
        ('11.0.2', 'need Java 17 or newer; got Java 11'),
        ('1.8.0_292', 'need Java 17 or newer; got Java 1'),
        ('', 'need Java 17 or newer; found none'),
        ('17.0.15', 'Maven is not installed'),
    ],
)
def test_error_says_what_to_install_when_a_program_is_missing(
    version: str, message: str, programs: pathlib.Path
) -> None:
    if version:
        write_java(programs, version)
    with pytest.raises(MissingDependencyError, match=message) as caught:
        jars.require_programs()
    assert 'apt-get install' in caught.value.hint


def test_jars_are_downloaded_once(programs: pathlib.Path) -> None:
    write_program(
        programs / 'mvn',
        'for each; do case $each in -DoutputDirectory=*) /bin/mkdir -p "${each#*=}"; esac; done',
    )
    folder = jars.download('flink')
    assert folder.is_dir()
    write_program(programs / 'mvn', 'exit 1')
    assert jars.download('flink') == folder


def test_error_refers_to_the_output_of_maven_when_it_fails(
    programs: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_program(programs / 'mvn', 'echo no such artifact; exit 1')
    with pytest.raises(ComponentError, match=r'Maven failed with exit code 1 \(see above\)'):
        jars.download('flink')
    assert 'no such artifact' in capsys.readouterr().err


@pytest.mark.parametrize('engine', jars.ENGINES)
def test_versions_are_exact_and_no_repository_is_named(engine: str) -> None:
    pom = pathlib.Path(jars.__file__).with_name(f'{engine}.xml').read_text(encoding='utf-8')
    versions = re.findall(r'<(?:[a-z]+\.)?version>([^<]+)<', pom)
    assert all(re.fullmatch(r'\d+(\.\d+)*|\$\{spark\.version\}', each) for each in versions)
    assert 'repositor' not in pom
