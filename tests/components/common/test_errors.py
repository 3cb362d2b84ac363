from __future__ import annotations

import pickle

import pytest

from components.common.errors import (
    ComponentError,
    DataError,
    ReviewsError,
    StepFailedError,
    class_of,
)


@pytest.mark.parametrize(
    ('message', 'shown'),
    [
        ('one line', 'one line'),
        ('two\n  lines\r\n', 'two lines '),
        ('Très bien, 傑作', 'Très bien, 傑作'),
        ('a\x1b[31m\0', 'a\\x1b[31m\\x00'),
        ('half \ud83d', 'half \\ud83d'),
    ],
)
def test_message_is_one_line_that_can_be_printed_when_it_quotes_anything(
    message: str, shown: str
) -> None:
    error = DataError(message, hint=message)
    assert (str(error), error.hint) == (shown, shown)
    assert str(pickle.loads(pickle.dumps(error))) == shown


@pytest.mark.parametrize('letter', ['x', '\x00'])
def test_message_loses_its_middle_when_it_is_long(letter: str) -> None:
    message = str(DataError(f"the label '{letter * 1_000_000}' is none of the known pairs"))
    assert message.startswith("the label '")
    assert message.endswith('is none of the known pairs')
    assert len(message) < 2_100


def test_class_is_found_when_only_the_exit_code_is_known() -> None:
    classes = [
        cls for cls in ReviewsError.__subclasses__() if cls.__module__ == ReviewsError.__module__
    ]
    assert len(classes) == 8
    for cls in classes:
        assert class_of(cls.exit_code) is cls
    assert class_of(StepFailedError.exit_code) is class_of(1) is ComponentError
