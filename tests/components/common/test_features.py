from __future__ import annotations

import subprocess
import sys

import pytest

from components.common import features


@pytest.mark.parametrize(
    ('words', 'bucket'),
    [
        (0, '1-10'),
        (1, '1-10'),
        (10, '1-10'),
        (11, '11-50'),
        (50, '11-50'),
        (51, '51-100'),
        (100, '51-100'),
        (101, '101-200'),
        (200, '101-200'),
        (201, '201-400'),
        (400, '201-400'),
        (401, '401+'),
        (1_000_000, '401+'),
    ],
)
def test_length_bucket_changes_when_its_upper_bound_is_exceeded(words: int, bucket: str) -> None:
    assert features.length_bucket(words) == bucket


def test_buckets_are_in_order_of_length() -> None:
    reached = dict.fromkeys(features.length_bucket(words) for words in range(1, 1_000))
    assert tuple(reached) == features.LENGTH_BUCKETS


def test_reserved_ids_are_those_of_padding_and_unknown_words() -> None:
    assert {features.PADDING_ID, features.UNKNOWN_ID} == set(range(features.RESERVED_IDS))


def test_no_other_package_is_imported_when_features_is() -> None:
    code = 'import sys; old = set(sys.modules); import components.common.features; '
    code += 'print(*sorted({m.split(".")[0] for m in set(sys.modules) - old}))'
    command = [sys.executable, '-c', code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {'components', '__future__'}
