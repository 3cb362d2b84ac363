"""Tests of report pages in a browser: loading, layout, and accessibility."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.pipeline.report.conftest import OpenPage, Runs
from tests.pipeline.report.sample_reports import HOSTILE

CHARTS = {
    # Scores, three curves, slices, splits, lengths; with epochs, two more; with a baseline, its
    # changes.
    'pushed': 7,
    'not_blessed': 10,
    'failed': 2,
    'compared': 3,
    'made': 10,
    'made_failed': 2,
    'made_compared': 3,
}
KINDS = tuple(CHARTS)
_OVERFLOWING = """() => [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('.box, pre, .hidden, svg') && e.checkVisibility())
    .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(e => e.outerHTML.slice(0, 120))"""
# axe does not check the contrast of text in SVG.
_CONTRASTS = """() => {
    const light = colour => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll('svg text')].map(text => {
        const ink = light(getComputedStyle(text).fill);
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    });
}"""


def _assert_accessible_and_fits(page: Page) -> None:
    # Check folded parts as well. Axe also checks the order of the headings.
    page.evaluate('document.querySelectorAll("details").forEach(e => e.open = true)')
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert min(page.evaluate(_CONTRASTS)) >= 4.5
    assert page.evaluate(_OVERFLOWING) == []
    width = page.evaluate('document.documentElement.scrollWidth')
    assert width == page.evaluate('document.documentElement.clientWidth')


@pytest.mark.parametrize('kind', KINDS)
def test_page_is_complete_accessible_and_fits_when_opened(
    kind: str, open_page: OpenPage, pages: dict[str, pathlib.Path]
) -> None:
    found = open_page(kind)
    charts = found.page.get_by_role('img')
    assert charts.count() == CHARTS[kind]
    for chart in charts.all():
        assert len(chart.get_attribute('aria-label') or '') > 10
        box = chart.bounding_box()
        assert box is not None
        assert box['width'] > 200
        assert box['height'] > 80
        marks = chart.locator('path, rect, circle')
        assert any((mark.bounding_box() or {'width': 0})['width'] > 1 for mark in marks.all())
    # Before axe runs its script, whose messages are not those of the page.
    found.page.wait_for_load_state('networkidle')
    assert found.messages == []
    _assert_accessible_and_fits(found.page)
    assert found.requests == [pages[kind].as_uri()]
    assert 10_000 < pages[kind].stat().st_size < 300_000


@pytest.mark.parametrize('kind', KINDS)
def test_page_fits_when_printed_and_is_accessible_when_dark_and_narrow(
    kind: str, open_page: OpenPage
) -> None:
    page = open_page(kind, dark=True, narrow=True).page
    narrow = page.viewport_size
    assert narrow is not None
    page.emulate_media(media='print', color_scheme='dark')
    assert page.evaluate('getComputedStyle(document.body).backgroundColor') == 'rgb(255, 255, 255)'
    assert min(page.evaluate(_CONTRASTS)) >= 4.5
    # As wide as A4 less its margins.
    page.set_viewport_size({'width': 688, 'height': 1000})
    assert page.evaluate('document.documentElement.scrollWidth') <= 688
    assert len(page.pdf(format='A4')) > 20_000
    page.emulate_media(media='screen', color_scheme='dark')
    page.set_viewport_size(narrow)
    _assert_accessible_and_fits(page)


@pytest.mark.parametrize(
    ('kind', 'verdict'),
    [
        ('pushed', 'Blessed and pushed'),
        ('not_blessed', 'Not blessed'),
        ('failed', 'Failed at ExampleValidator'),
    ],
)
def test_verdict_is_visible_when_opened(
    kind: str, verdict: str, open_page: OpenPage, runs: Runs
) -> None:
    page = open_page(kind).page
    heading = page.get_by_role('heading', level=1, name=verdict)
    expect(heading).to_be_in_viewport()
    expect(page).to_have_title(f'{verdict}: sentiment, run {runs.id_of(kind)}')


def test_tables_have_the_figures_of_the_run_when_it_trained_epochs(
    open_page: OpenPage, runs: Runs
) -> None:
    page = open_page('not_blessed').page
    outcome = runs.outcomes['not_blessed']
    accuracy, base = outcome['metrics']['binary_accuracy'], outcome['baseline']['binary_accuracy']
    metrics = page.get_by_role('table', name='Metrics on test')
    row = metrics.get_by_role('row', name='accuracy ')
    cells = row.get_by_role('cell').all_inner_texts()
    low, high = outcome['intervals']['binary_accuracy']
    assert cells[:2] == [f'{accuracy:.4f}', f'{low:.4f} to {high:.4f}']
    assert '✗ ≥ 0.9900, missed' in cells[2]
    changes = page.get_by_role('table', name='Candidate minus baseline')
    cells = changes.get_by_role('row', name='accuracy ').first.get_by_role('cell').all_inner_texts()
    change = outcome['changes']['binary_accuracy']
    assert cells[:2] == [f'{base:.4f}', f'{change["change"]:+.4f}'.replace('-', '−')]
    assert cells[3].endswith(change['verdict'])
    cells = page.get_by_role('table', name='Confusion matrix').get_by_role('cell')
    counts = [int(text.split()[0].replace(',', '')) for text in cells.all_inner_texts() if text]
    assert sum(counts) == outcome['metrics']['example_count']
    assert counts[0] + counts[3] == round(accuracy * sum(counts))
    nodes = page.get_by_role('table', name='The nodes in order')
    expect(nodes.get_by_role('row')).to_have_count(10)
    expect(nodes.get_by_role('row', name='Trainer executed')).to_contain_text('transform_graph')
    splits = page.get_by_role('table', name='Splits', exact=True)
    expect(splits.get_by_role('row')).to_have_count(4)
    expect(page.get_by_role('table', name='Metrics at the end of the training')).to_be_visible()


def test_section_gives_the_reason_when_the_run_failed_before_it(
    open_page: OpenPage, runs: Runs
) -> None:
    page = open_page('failed').page
    expect(page.get_by_role('banner').or_(page.locator('header'))).to_contain_text('336')
    model = page.get_by_role('region', name='Scores')
    expect(model).to_contain_text('The run ended before Evaluator: ExampleValidator failed.')
    assert 'Traceback' not in page.content()


def test_script_is_not_executed_when_a_text_contains_one(open_page: OpenPage) -> None:
    page = open_page('made').page
    assert page.evaluate('window.stolen') is None
    assert page.locator('script, img, iframe, object, link').count() == 0
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    expect(page.locator('.words')).to_contain_text('<script>')


def test_script_is_blocked_when_it_gets_into_the_page(open_page: OpenPage) -> None:
    page = open_page('made').page
    page.evaluate(
        'const s = document.createElement("script"); s.textContent = "window.stolen = 1";'
        'document.body.append(s)'
    )
    page.evaluate('document.body.insertAdjacentHTML("beforeend", "<p onclick=\'stolen=1\'>x")')
    page.locator('p[onclick]').click()
    assert page.evaluate('window.stolen') is None


def test_keyboard_reaches_links_tables_and_details_when_tab_is_pressed(open_page: OpenPage) -> None:
    page = open_page('made', narrow=True).page
    page.keyboard.press('Tab')
    skip = page.get_by_role('link', name='Skip to the content')
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport(ratio=1)
    page.keyboard.press('Enter')
    expect(page.locator('main')).to_be_focused()
    seen: set[Any] = set()
    for _ in range(60):
        page.keyboard.press('Tab')
        seen.add(
            page.evaluate(
                '() => { const e = document.activeElement, s = getComputedStyle(e);'
                'return [e.tagName, e.getAttribute("aria-label"), s.outlineStyle].join() }'
            )
        )
    assert 'DIV,Metrics on test,solid' in seen
    assert any(stop.startswith('DIV,The nodes in order') for stop in seen)
    assert 'SUMMARY,,solid' in seen
