"""README's table of platforms, against what set-up chooses; a script plays uv."""

from __future__ import annotations

import pathlib

import pytest

from requirements import lock, support, tools
from requirements.stacks import NEW, OLD
from tests.conftest import REPO

# A shell, as it is started fifty times.
_PLAYS_UV = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    --python-platform) platform=$2 ;;
    requirements/*) name=$1 ;;
  esac
  shift
done
case "$name $platform" in
  {patterns}) exit 0 ;;
esac
printf 'no wheel of\\nthat for %s\\n' "$platform" >&2
exit 1
"""


def play_uv(folder: pathlib.Path, wheels: dict[str, list[str]]) -> str:
    """Write a program that finds wheels for these platforms alone, by part of a lock's name."""
    path = folder / 'uv'
    found = [f'*{name}*" {platform}"' for name, of in wheels.items() for platform in of]
    path.write_text(_PLAYS_UV.format(patterns=' | '.join(found)))
    path.chmod(0o755)
    return str(path)


def wheels_as_told() -> dict[str, list[str]]:
    rows = dict(zip((p.name for p in support.PLATFORMS), support.table().splitlines()[2:]))
    found: dict[str, list[str]] = {'1.16': [], '1.21': []}
    for platform in support.PLATFORMS:
        for stack in (OLD, NEW):
            if f'| {stack.tfx} |' in rows[platform.name]:
                found[stack.name].append(platform.wheels)
    return found


def test_readme_has_the_table() -> None:
    assert support.table() in (REPO / 'README.md').read_text(encoding='utf-8')


def test_nothing_is_wrong_when_wheels_are_where_set_up_wants_them(tmp_path: pathlib.Path) -> None:
    assert support.check(play_uv(tmp_path, wheels_as_told())) == []


def test_it_is_told_when_a_wheel_is_missing(tmp_path: pathlib.Path) -> None:
    wheels = wheels_as_told()
    wheels['1.21'].remove('aarch64-apple-darwin')
    (line,) = support.check(play_uv(tmp_path, wheels))
    assert line == (
        'macOS on Apple silicon: TFX 1.21.0 is chosen, and no wheel of that for'
        ' aarch64-apple-darwin'
    )


def test_it_is_told_when_a_platform_is_refused_for_no_reason(tmp_path: pathlib.Path) -> None:
    wheels = wheels_as_told()
    wheels['1.16'].append('aarch64-manylinux_2_39')
    (line,) = support.check(play_uv(tmp_path, wheels))
    assert line == 'Linux on ARM: TFX 1.16.0 has all wheels, and set-up refuses'


def test_each_lock_counts_when_a_wheel_is_looked_for(tmp_path: pathlib.Path) -> None:
    platform = OLD.platforms[0]
    uv = play_uv(tmp_path, {f'1.16{extra}.txt': [platform] for extra in ('', '-dev', '-bench')})
    assert lock.missing_wheel(uv, OLD, platform) == f'no wheel of that for {platform}'


def test_command_fails_when_something_is_wrong(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uv = play_uv(tmp_path, wheels_as_told())
    monkeypatch.setattr(tools, 'find_uv', lambda _: uv)
    assert support.main() == 0
    play_uv(tmp_path, {**wheels_as_told(), '1.16': []})
    assert support.main() == 1
    assert 'error: Debian 12: TFX 1.16.0 is chosen, and no wheel' in capsys.readouterr().err
