from __future__ import annotations

import subprocess
import sys

from components.common import features


def test_length_bucket_changes_when_its_upper_bound_is_exceeded() -> None:
    buckets = [features.length_bucket(words) for words in (*range(1_000), 1_000_000)]
    expected = zip(features.LENGTH_BUCKETS, [11, 40, 50, 100, 200, 600])
    assert buckets == [name for name, count in expected for _ in range(count)]


def test_reserved_ids_are_those_of_padding_and_unknown_words() -> None:
    assert {features.PADDING_ID, features.UNKNOWN_ID} == set(range(features.RESERVED_IDS))


def test_no_other_package_is_imported_when_features_is() -> None:
    code = 'import sys; old = set(sys.modules); import components.common.features; '
    code += 'print(*sorted({m.split(".")[0] for m in set(sys.modules) - old}))'
    command = [sys.executable, '-c', code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {'components', '__future__'}
