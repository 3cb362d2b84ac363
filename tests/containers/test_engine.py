"""Finding an engine: what is said where there is none, and what is left behind."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest

from tests.containers import base_image, engine
from tests.containers.engine import Engine, EngineError


def test_says_what_to_install_when_there_is_no_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(shutil, 'which', lambda _: None)
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with pytest.raises(EngineError, match='install Docker, or podman, on Debian'):
        engine._find_engine(tmp_path)


def test_says_what_to_do_when_no_base_image_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with pytest.raises(EngineError, match='go online, or .* as root, with: apt-get install'):
        base_image._require_tools()


def test_installs_nothing_when_docker_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    docker = tmp_path / 'docker'
    docker.write_text('#!/bin/sh\ntest "$1" = info\n')
    docker.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setattr(
        engine, 'install_packages', lambda *_, **__: pytest.fail('installed podman')
    )
    assert engine._find_engine(tmp_path).name == 'docker'


def test_touches_nobody_elses_containers_when_it_made_no_storage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / 'ours'
    folder.mkdir()
    monkeypatch.setattr(Engine, 'run', lambda *_, **__: pytest.fail('asked podman'))
    Engine('podman', folder, {}).remove_all('image', 'label')
    assert not folder.exists()
