from __future__ import annotations

import pickle

import pytest

from components.common.errors import DataError, ReviewsError


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


def test_each_exit_code_has_one_class() -> None:
    classes = [
        cls for cls in ReviewsError.__subclasses__() if cls.__module__ == ReviewsError.__module__
    ]
    assert len({cls.exit_code for cls in classes}) == len(classes) == 8
