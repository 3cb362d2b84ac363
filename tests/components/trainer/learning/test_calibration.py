from __future__ import annotations

import numpy as np
import pytest

from components.trainer.learning.calibration import calibrate, missing_shift


def test_calibration_finds_scale_and_shift_when_labels_are_drawn_by_them() -> None:
    rng = np.random.default_rng(8)
    scores = rng.normal(size=50_000).astype(np.float32)
    labels = (rng.random(50_000) < 1 / (1 + np.exp(-(2.5 * scores - 0.7)))).astype(np.int8)
    assert calibrate(scores, labels) == pytest.approx((2.5, -0.7), abs=0.1)


@pytest.mark.parametrize('gap', [1e-3, 1.0, 1e3])
def test_calibration_is_finite_when_scores_separate_the_labels(gap: float) -> None:
    scores = np.array([-gap] * 50 + [gap] * 50, np.float32)
    scale, shift = calibrate(scores, np.repeat(np.array([0, 1], np.int8), 50))
    # Platt's targets are 51 of 52 and 1 of 52.
    assert scale * gap == pytest.approx(np.log(51), rel=1e-3)
    assert shift == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize('positives', [1, 10, 990, 999])
def test_calibration_gives_the_base_rate_when_scores_are_constant(positives: int) -> None:
    labels = np.zeros(1_000, np.int8)
    labels[:positives] = 1
    scores = np.full(1_000, 0.3, np.float32)
    scale, shift = calibrate(scores, labels)
    assert np.isfinite([scale, shift]).all()
    # Platt's targets leave the rate as it is, up to two examples.
    probability = 1 / (1 + np.exp(-(scale * 0.3 + shift)))
    assert probability * 1_000 == pytest.approx(positives, abs=2)


@pytest.mark.parametrize('label', [0, 1])
def test_calibration_is_finite_when_all_labels_are_one(label: int) -> None:
    scores = np.random.default_rng(9).normal(size=100).astype(np.float32)
    logits = np.array(calibrate(scores, np.full(100, label, np.int8))) @ [scores, np.ones(100)]
    assert np.isfinite(logits).all()
    assert ((logits > 0) == label).all()


@pytest.mark.parametrize('shift', [-5.0, -0.3, 0.0, 4.0])
def test_shift_is_found_when_labels_are_drawn_by_shifted_logits(shift: float) -> None:
    rng = np.random.default_rng(10)
    logits = rng.normal(scale=2, size=50_000).astype(np.float32)
    labels = (rng.random(50_000) < 1 / (1 + np.exp(-(logits + shift)))).astype(np.float32)
    found = missing_shift(logits, labels)
    assert found == pytest.approx(shift, abs=0.1)
    assert np.mean(1 / (1 + np.exp(-(logits + found)))) == pytest.approx(labels.mean(), abs=1e-6)


@pytest.mark.parametrize('size', [30.0, 1e4])
def test_shift_is_finite_when_logits_are_certain(size: float) -> None:
    logits = np.array([-size] * 60 + [size] * 40, np.float32)
    labels = np.repeat(np.array([0, 1], np.float32), 50)
    assert np.isfinite(missing_shift(logits, labels))


@pytest.mark.parametrize('label', [0, 1])
def test_shift_is_finite_when_all_labels_are_one(label: int) -> None:
    logits = np.random.default_rng(11).normal(size=100).astype(np.float32)
    expected = 1 / (1 + np.exp(-(logits + missing_shift(logits, np.full(100, label, np.float32)))))
    assert expected.sum() == pytest.approx(99.5 if label else 0.5, abs=0.01)
