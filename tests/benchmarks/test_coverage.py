from __future__ import annotations

import pytest

from benchmarks import coverage

REPLICATES = 200


@pytest.mark.slow
def test_intervals_contain_the_true_value_and_verdicts_seldom_are_wrong() -> None:
    rows = coverage.run(REPLICATES)
    assert len(rows) == 4 * 3 * 11
    # The standard error of a share of 200 splits is 1.5% at 95%, and 12 shares are compared.
    for row in rows:
        if row['with_interval'] > REPLICATES / 4:
            assert row['coverage'] > 0.89, row
        if row['with_verdict'] > REPLICATES / 4:
            assert row['false_alarms'] < 0.11, row
            assert row['change_coverage'] > 0.86, row
    # Examples that suffice do show a difference.
    found = [row for row in rows if row['examples'] == 2_000 and row['positive_share'] == 0.5]
    assert min(row['right'] for row in found if row['metric'] == 'auc') > 0.9
    lines = coverage.table(rows).splitlines()
    assert len(lines) == 2 + 11 * 3
    assert len({line.count('|') for line in lines}) == 1
