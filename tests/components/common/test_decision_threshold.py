from __future__ import annotations

import pathlib

import pytest

from components.common.decision_threshold import (
    DecisionThreshold,
    read_decision_threshold,
    read_threshold,
)


def write(folder: pathlib.Path, content: str) -> str:
    (folder / 'assets.extra').mkdir()
    (folder / 'assets.extra' / 'threshold.json').write_text(content)
    return str(folder)


def test_threshold_is_one_half_when_a_model_has_no_file(tmp_path: pathlib.Path) -> None:
    assert read_decision_threshold(str(tmp_path)) == DecisionThreshold(threshold=0.5)


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        ('{"threshold": 0.3, "aim": null}', DecisionThreshold(threshold=0.3)),
        ('{"threshold": 0.3}', DecisionThreshold(threshold=0.3)),
        (
            '{"aim": "f1", "threshold": 1e-9, "more": []}',
            DecisionThreshold(threshold=1e-9, aim='f1'),
        ),
    ],
)
def test_threshold_is_read_when_a_model_has_the_file(
    content: str, expected: DecisionThreshold, tmp_path: pathlib.Path
) -> None:
    model = write(tmp_path, content)
    assert read_decision_threshold(model) == expected
    assert read_threshold(model) == expected.threshold


@pytest.mark.parametrize(
    'content',
    ['', '{', '[]', '0.3', '{}', '{"threshold": 0}', '{"threshold": 1.0}', '{"threshold": "0.3"}',
     '{"threshold": NaN}', '{"threshold": null}', '{"threshold": true}',
     '{"threshold": 0.3, "aim": 7}'],
)  # fmt: skip
def test_threshold_is_refused_when_the_file_is_damaged(
    content: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ValueError, match=r'threshold\.json: expected a (decision )?threshold'):
        read_threshold(write(tmp_path, content))
