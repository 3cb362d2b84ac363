"""Fixtures: runs on the sample data, their pages, and a browser."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from pipeline.report.render import render, render_comparison
from tests.conftest import REPO, SAMPLE, FirstRun, call_command, restore_folder
from tests.pipeline.report.chromium import find_chromium, start_chromium
from tests.pipeline.report.sample_reports import make_report

_NARROW = {'width': 360, 'height': 740}
_WIDE = {'width': 1280, 'height': 900}


@dataclasses.dataclass(frozen=True)
class Runs:
    """Finished runs below one root.

    Attributes:
        home: Working directory of the commands.
        outcomes: JSON outcomes of the runs `pushed`, `not_blessed` and `failed`.
    """

    home: pathlib.Path
    outcomes: dict[str, Any]

    @property
    def root(self) -> pathlib.Path:
        return self.home / 'runs'

    def id_of(self, kind: str) -> str:
        return str(self.outcomes[kind]['run_id'])


@pytest.fixture
def runs(first_runs: tuple[Runs, pathlib.Path]) -> Runs:
    """Return the runs, restored to their first state."""
    found, copy = first_runs
    restore_folder(found.home, copy)
    return found


@pytest.fixture(scope='session')
def first_runs(
    first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Runs, pathlib.Path]:
    """Return a run that pushes, one with epochs that is not blessed, and one that fails.

    The second value is a copy of their files.
    """
    home = first_run.home
    restore_folder(home, first_run.copy)
    assert first_run.finished.code == 0, first_run.finished.err
    outcomes = {'pushed': first_run.finished.json}
    strict = tmp_path_factory.mktemp('schema') / 'strict.pbtxt'
    schema = (REPO / 'components' / 'schema' / 'reviews.pbtxt').read_text()
    strict.write_text(schema.replace('min_examples_count: 20', 'min_examples_count: 700'))
    options: dict[str, tuple[tuple[str, ...], int]] = {
        'not_blessed': (
            ('--preset', 'tutorial', '--set', 'text.vocab_size=3000',
             '--set', 'trainer.model.epochs=3', '--set', 'gate.min_accuracy=0.99'),
            3,
        ),
        'failed': (('--set', f'data.schema_file={strict}'), 4),
    }  # fmt: skip
    for kind, (chosen, code) in options.items():
        done = call_command('run', '--data', str(SAMPLE), '--json', *chosen, cwd=home)
        assert done.code == code, done.err
        outcomes[kind] = done.json
    copy = tmp_path_factory.mktemp('copy') / 'report'
    return Runs(home, outcomes), shutil.copytree(home, copy, symlinks=True)


@pytest.fixture(scope='session')
def pages(
    first_runs: tuple[Runs, pathlib.Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pathlib.Path]:
    """Return pages of runs, and pages of made reports with problematic texts."""
    runs, copy = first_runs
    restore_folder(runs.home, copy)
    found = {kind: pathlib.Path(outcome['report']) for kind, outcome in runs.outcomes.items()}
    both = (runs.id_of('pushed'), runs.id_of('not_blessed'))
    done = call_command('report', '--compare', *both, cwd=runs.home)
    assert done.code == 0, done.err
    found['compared'] = pathlib.Path(done.out.strip())
    folder = tmp_path_factory.mktemp('made')
    for kind, page in found.items():
        found[kind] = pathlib.Path(shutil.copy(page, folder / f'{kind}.html'))
    made = [make_report(kind) for kind in ('pushed', 'not_blessed', 'failed')]
    for name, html in (
        ('made', render(made[0])),
        ('made_failed', render(made[2])),
        ('made_compared', render_comparison(made)),
    ):
        found[name] = folder / f'{name}.html'
        found[name].write_text(html, encoding='utf-8')
    return found


@pytest.fixture(scope='session')
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium without a screen."""
    path = find_chromium()
    if path is None:
        pytest.skip('needs Chromium: `make chromium` installs Debian’s')
    with start_chromium(path) as chromium:
        yield chromium


@dataclasses.dataclass(frozen=True)
class BrowserPage:
    """A page in the browser, its console messages and errors, and the requested addresses."""

    page: Page
    messages: list[str]
    requests: list[str]


OpenPage = Callable[..., BrowserPage]


@pytest.fixture
def open_page(browser: Browser, pages: dict[str, pathlib.Path]) -> Iterator[OpenPage]:
    """Return a function that opens a page: light or dark, wide or as narrow as a phone."""
    contexts = []

    def open_one(kind: str, *, dark: bool = False, narrow: bool = False) -> BrowserPage:
        context = browser.new_context(
            viewport=_NARROW if narrow else _WIDE,  # type: ignore[arg-type]
            color_scheme='dark' if dark else 'light',
        )
        contexts.append(context)
        page = context.new_page()
        messages: list[str] = []
        requests: list[str] = []
        page.on('console', lambda message: messages.append(message.text))
        page.on('pageerror', lambda error: messages.append(str(error)))

        page.on('request', lambda request: requests.append(request.url))
        page.goto(pages[kind].as_uri())
        return BrowserPage(page, messages, requests)

    yield open_one
    for context in contexts:
        context.close()
