from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen import group_counts
from components.example_gen.group_counts import GroupSample

_ROWS = st.lists(
    st.tuples(st.integers(0, 40).map(str), st.sampled_from(['train', 'val', 'test', 'later']))
)


def _counts(*bundles: list[tuple[str, str]]) -> tuple[int, int]:
    whole = GroupSample()
    for rows in bundles:
        sample = GroupSample()
        for row in rows:
            sample.add(*row)
        whole.merge(pickle.loads(pickle.dumps(sample)))
    return whole.counts({'later': 'val'})


@given(first=_ROWS, second=_ROWS)
def test_counts_are_exact_when_groups_are_few(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    rows = [*first, *second]
    in_test = {group for group, split in rows if split == 'test'}
    learnt = {group for group, split in rows if split != 'test'}
    expected = len(in_test | learnt), len(in_test & learnt)
    assert _counts(first, second) == _counts(second, first) == _counts(rows) == expected


@settings(max_examples=50)
@given(rows=_ROWS, at=st.integers(0, 40), size=st.integers(1, 12))
def test_counts_are_the_same_when_bundles_are_others_and_groups_are_many(
    rows: list[tuple[str, str]], at: int, size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_counts, 'MAX_SAMPLED', size)
        sampled, shared = _counts(rows[:at], rows[at:])
        assert (sampled, shared) == _counts(rows) == _counts(rows[::-1])
    assert sampled == min(size, _counts(rows)[0])


def test_share_is_near_the_real_one_when_groups_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_counts, 'MAX_SAMPLED', 1_000)
    rows = [(str(group), 'train') for group in range(20_000)]
    rows += [(str(group), 'test') for group in range(0, 20_000, 4)]
    sampled, shared = _counts(rows[:9_000], rows[9_000:])
    assert sampled == 1_000
    # Four standard errors.
    assert shared == pytest.approx(250, abs=55)
