from __future__ import annotations

import pathlib

import pytest

from components.evaluator.examined import (
    FILE,
    Examined,
    Example,
    Histogram,
    read_examined,
    to_json,
)

EXAMINED = Examined(
    candidate=Histogram(positive=[0, 2], negative=[1, 0]),
    baseline=None,
    mistakes=[Example(text='</script> très bien\n🎬', cut=True, label=0, probability=0.987654321)],
    uncertain=[],
    true_positives=2,
    false_positives=1,
    true_negatives=0,
    false_negatives=0,
    unscored=3,
)


def test_same_is_read_when_it_was_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(to_json(EXAMINED))
    assert read_examined(str(tmp_path)) == EXAMINED


def test_nothing_is_read_when_an_older_run_wrote_nothing(tmp_path: pathlib.Path) -> None:
    assert read_examined(str(tmp_path)) is None


def test_error_names_the_field_when_the_file_is_another(tmp_path: pathlib.Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(to_json(EXAMINED).replace(b'"label":0', b'"label":"x"'))
    with pytest.raises(ValueError, match=r'mistakes\.0\.label'):
        read_examined(str(tmp_path))
