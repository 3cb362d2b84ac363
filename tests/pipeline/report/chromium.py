"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright


def find_chromium() -> str | None:
    """Return the path of Chromium, None if it is not installed."""
    return shutil.which('chromium') or shutil.which('chromium-browser')


@contextlib.contextmanager
def start_chromium(path: str) -> Iterator[Browser]:
    """Start the Chromium at `path` without a screen, and end it."""
    # Letters without coloured edges: pictures are smaller, and the same on all screens.
    options = ['--disable-lcd-text']
    # Root has no sandbox in Chromium; it is shown no page but ours.
    if os.geteuid() == 0:
        options.append('--no-sandbox')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()
