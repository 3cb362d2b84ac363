"""Writes the picture of a report for the documentation.

    python -m tests.pipeline.report.picture

This command runs the pipeline twice on the sample data, so that there is a
baseline, and takes a picture of the second report in Chromium.
"""

from __future__ import annotations

import io
import pathlib
import sys
import tempfile

from PIL import Image

from tests.conftest import REPO, run_command
from tests.pipeline.report.chromium import find_chromium, start_chromium

PICTURE = REPO / 'docs' / 'report.png'
_RUN = ('run', '--data', 'data/sample', '--json', '--root')
_BASELINE = ('--preset', 'tutorial', '--set', 'text.vocab_size=3000')


def main() -> None:
    """Run the pipeline and take the picture."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit('error: expected Chromium, found none; run make chromium')
    with tempfile.TemporaryDirectory() as root:
        for options in (_BASELINE, ()):
            done = run_command(*_RUN, root, *options, cwd=REPO)
            if done.code != 0:
                sys.exit(done.err)
        page_path = pathlib.Path(done.json['report'])
        with start_chromium(chromium) as browser:
            page = browser.new_page(viewport={'width': 1080, 'height': 800})
            page.goto(page_path.as_uri())
            below = page.locator('#slices').first.bounding_box()
            assert below is not None
            # Verdict, metrics and scores.
            height = int(below['y']) - 40
            taken = page.screenshot(
                full_page=True, clip={'x': 0, 'y': 0, 'width': 1080, 'height': height}
            )
    # The page has few colours, so a palette makes the file a third as large.
    picture = Image.open(io.BytesIO(taken)).convert('RGB')
    picture.quantize(64, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(PICTURE.relative_to(REPO), f'{PICTURE.stat().st_size:,} bytes')


if __name__ == '__main__':
    main()
