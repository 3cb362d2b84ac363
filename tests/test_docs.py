"""Checks README.md and docs/ against the code: links, commands, settings and examples."""

from __future__ import annotations

import pathlib
import re
import shlex

import click
import pytest
from click.testing import CliRunner

from components.common import features
from pipeline.cli.main import main
from pipeline.settings.config import PipelineConfig, load_config, setting_names
from pipeline.settings.pods import PodSettings
from tests.conftest import REPO

DOCUMENTS = sorted(
    path
    for pattern in ('*.md', 'docs/**/*.md', 'benchmarks/*.md', 'data/*.md', 'tests/**/*.md')
    for path in REPO.glob(pattern)
)
_NAMES = [str(path.relative_to(REPO)) for path in DOCUMENTS]
_LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
_FENCE = re.compile(r'^```.*?^```$', re.MULTILINE | re.DOTALL)
_SETTING = re.compile(
    r'(?<![\w.-])((?:data|text|trainer|gate|beam|metadata|cloud)\.[a-z_]+(?:\.[a-z_]+)*)(?=[=`\s])'
)


def read(path: pathlib.Path) -> str:
    return path.read_text(encoding='utf-8')


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf'```{language}\n(.*?)```', read(REPO / name), re.DOTALL)


def anchors(path: pathlib.Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.+)$', _FENCE.sub('', read(path)), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def commands() -> list[tuple[str, list[str]]]:
    found = []
    for path in DOCUMENTS:
        for block in re.findall(r'```sh\n(.*?)```', read(path), re.DOTALL):
            for line in block.replace('\\\n', ' ').splitlines():
                if 'pipeline_runner.py' in line:
                    words = shlex.split(line.partition('pipeline_runner.py')[2], comments=True)
                    found.append((str(path.relative_to(REPO)), words))
    return found


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that the words call, and the words after its name."""
    command: click.Command = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize('name', _NAMES)
def test_links_resolve(name: str) -> None:
    path = REPO / name
    for link in _LINK.findall(_FENCE.sub('', read(path))):
        if link.startswith(('http://', 'https://', 'mailto:')):
            continue
        target, _, anchor = link.partition('#')
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f'{name} links to {link}, which does not exist'
        if anchor:
            assert anchor in anchors(file), f'{name} links to {link}: no such heading'


@pytest.mark.parametrize(('name', 'words'), commands())
def test_commands_and_options_exist(name: str, words: list[str]) -> None:
    command, rest = find_command(words)
    assert command is not main, f'{name}: {words[:1]} is not a command'
    known = {flag for parameter in command.params for flag in parameter.opts}
    used = {word.partition('=')[0] for word in rest if word.startswith('-') and word != '-'}
    assert used <= known, f'{name}: {command.name} has no option {sorted(used - known)}'


def test_every_command_is_documented() -> None:
    documented = {find_command(words)[0] for _, words in commands()}
    text = '\n'.join(read(path) for path in DOCUMENTS)
    for name, command in main.commands.items():
        assert command in documented or f'`{name}' in text, f'no document mentions {name}'


@pytest.mark.parametrize('name', [name for name in _NAMES if name != 'CHANGELOG.md'])
def test_settings_exist(name: str) -> None:
    known = set(setting_names())
    groups = {name[:end] for name in known for end, at in enumerate(name) if at == '.'}
    for setting in _SETTING.findall(read(REPO / name)):
        is_file = setting.endswith(('.py', '.md', '.csv', '.json', '.jsonl', '.txt', '.sqlite'))
        assert is_file or setting in known | groups, f'{name} mentions {setting}'


def test_make_targets_exist() -> None:
    makefile = read(REPO / 'Makefile')
    targets = set(re.findall(r'^([a-z][a-z-]*):', makefile, re.MULTILINE))
    for path in DOCUMENTS:
        if path.name == 'CHANGELOG.md':  # mentions targets of earlier versions
            continue
        text = read(path)
        used = set(re.findall(r'^make ([a-z][a-z-]*)', text, re.MULTILINE))
        used |= set(re.findall(r'`make ([a-z][a-z-]*)', text))
        assert used <= targets, f'{path.name}: make has no target {sorted(used - targets)}'


@pytest.mark.parametrize(
    'name', [name for name in _NAMES if not name.startswith(('CHANGELOG', 'tests/'))]
)
def test_paths_exist(name: str) -> None:
    text = read(REPO / name)
    folders = 'pipeline|components|tests|data|benchmarks|deploy'
    for path in re.findall(rf'`((?:{folders})/[\w./-]*\w/?)`', text):
        if not re.search(r'[A-Z]{3}', path):
            assert (REPO / path).exists(), f'{name} mentions {path}'


def test_readme_fits_one_page() -> None:
    assert len(read(REPO / 'README.md').splitlines()) <= 170


def test_command_and_file_mean_the_same_in_the_settings_example(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings,) = blocks('docs/models.md', 'yaml')
    (example,) = [block for block in blocks('docs/models.md', 'sh') if '--config' in block]
    (tmp_path / 'settings.yaml').write_text(settings)
    monkeypatch.chdir(tmp_path)
    configs: list[PipelineConfig] = []
    monkeypatch.setattr(
        'pipeline.cli.local_run.run_locally', lambda config, **_: configs.append(config)
    )
    for line in example.replace('\\\n', '').splitlines():
        python, runner, *words = shlex.split(line)
        assert (python, runner) == ('python', 'pipeline_runner.py')
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output + str(result.exception)
    by_flags, by_file = configs
    assert by_flags == by_file
    assert by_file != load_config(preset='tutorial', data='reviews.csv')


def test_gate_page_names_all_slices() -> None:
    lines = read(REPO / 'docs/gate.md').splitlines()
    (row,) = [line for line in lines if line.startswith('| `1-10`')]
    assert [name for name in re.findall('`([^`]*)`', row) if name in features.LENGTH_BUCKETS] == [
        *features.LENGTH_BUCKETS
    ]


@pytest.mark.parametrize('target', ['kubeflow', 'vertex'])
def test_settings_of_the_cloud_page_compile(target: str, tmp_path: pathlib.Path) -> None:
    pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')
    from pipeline.cloud.compile import compile_pipeline

    (settings,) = [
        block
        for block in blocks('docs/cloud.md', 'yaml')
        if 'pipeline_root' in block and ('volumes' in block) == (target == 'kubeflow')
    ]
    file = tmp_path / f'{target}.yaml'
    file.write_text(settings.replace('BUCKET', 'films'), encoding='utf-8')
    config = load_config(file=file)
    compiled = compile_pipeline(config, target)  # type: ignore[arg-type]
    assert compiled.pipeline_root == config.cloud.pipeline_root


def test_pods_of_the_cloud_page_compile(tmp_path: pathlib.Path) -> None:
    pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')
    from pipeline.cloud.compile import compile_pipeline

    (settings,) = [block for block in blocks('docs/cloud.md', 'yaml') if '  pod:' in block]
    file = tmp_path / 'kubeflow.yaml'
    file.write_text(settings, encoding='utf-8')
    flags = {'cloud.image': 'reviews:1', 'serving_dir': 'gs://films/models'}
    config = load_config(file=file, flags=flags, data='gs://films/reviews.csv')
    assert compile_pipeline(config, 'kubeflow').platform
    rows = read(REPO / 'docs/cloud.md')
    for name in PodSettings.model_fields:
        assert f'`{name}`' in rows, f'docs/cloud.md does not explain {name}'


@pytest.mark.parametrize('name', [path.name for path in sorted(REPO.glob('examples/*.py'))])
def test_examples_are_shown_as_they_are(name: str) -> None:
    shown = (REPO / 'docs' / 'extending.md').read_text(encoding='utf-8')
    source = (REPO / 'examples' / name).read_text(encoding='utf-8')
    assert f'```python\n{source}```' in shown
