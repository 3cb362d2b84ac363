"""The Pusher with the artifacts of a real model."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from tfx.components.evaluator import constants
from tfx.types import standard_artifacts

from components.common.model_versions import CARD_PATH, DIGEST_PATH, digest_of_model
from components.common.rollback_state import Withdrawal, write_withdrawals
from components.evaluator.estimation.totals import Totals
from components.evaluator.score_collector import ScoreCollector
from components.evaluator.score_details import (
    SCORE_DETAILS_FILE,
    SHOWN_CHARACTERS,
    SHOWN_EXAMPLES,
    to_json,
)
from components.pusher import executor
from components.served_baseline.baseline import BaselineChangedError
from components.smoke_test.run import SmokeTestError
from tests.components.pusher.evaluations import (
    SETTINGS,
    SUMMARY,
    run_pusher,
    write_evaluation,
)
from tests.components.trainer.tiny import Exported, Tiny
from tests.conftest import snapshot


def write_details(folder: pathlib.Path, scores: dict[str, float]) -> None:
    """Write the details of positive texts, and of one that the Evaluator truncates."""
    truncated = 'x' * (SHOWN_CHARACTERS + 1)
    texts = np.array([text.encode() for text in (*scores, truncated)], object)
    collector = ScoreCollector()
    collector.add(texts, np.ones(len(texts)), np.array([*scores.values(), 0.123]))
    (folder / SCORE_DETAILS_FILE).parent.mkdir(parents=True, exist_ok=True)
    content = to_json(collector.details(Totals(), None))
    (folder / SCORE_DETAILS_FILE).write_bytes(content)


class Run:
    """The artifacts of the nodes before the Pusher.

    Args:
        folder: Folder of the artifacts.
        exported: The candidate.
        tiny: The data that it was trained on.
    """

    def __init__(self, folder: pathlib.Path, exported: Exported, tiny: Tiny) -> None:
        self.folder = folder
        self.model = folder / 'trained' / 'Format-Serving'
        shutil.copytree(exported.serving, self.model)
        (self.model / 'assets.extra' / 'settings.json').write_text(json.dumps(SETTINGS))
        shutil.copytree(tiny.examples, folder / 'examples')
        SUMMARY.write(str(folder / 'examples'))
        # One less than the Evaluator stores.
        texts = [text for text, _ in tiny.reviews['test'][: SHOWN_EXAMPLES - 1]]
        self.scores = dict(zip(texts, exported.probabilities(texts)))

    def push(
        self,
        serving: pathlib.Path,
        *,
        blessed: bool = True,
        accuracy: float = 0.9,
        before_push: Callable[[], object] = lambda: None,
    ) -> standard_artifacts.PushedModel:
        """Run the node on the artifacts of the nodes before it.

        Args:
            serving: The folder of pushed versions.
            blessed: The Evaluator's verdict.
            accuracy: The Evaluator's metric.
            before_push: Called between ServedBaseline and the Pusher.
        """
        model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
        model.uri = str(self.folder / 'trained')
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
        names = ('evaluation', 'examples', 'baseline')
        folders = {name: self.folder / name for name in names}
        write_evaluation(folders['evaluation'], accuracy)
        write_details(folders['evaluation'], self.scores)
        return run_pusher(
            serving, model=model, blessing=blessing, folders=folders, before_push=before_push
        )


@pytest.fixture
def run(tmp_path: pathlib.Path, exported: Exported, tiny: Tiny) -> Run:
    return Run(tmp_path, exported, tiny)


def destination(pushed: standard_artifacts.PushedModel) -> str:
    return pushed.get_string_custom_property('pushed_destination')


def test_artifact_names_the_version_when_the_model_is_blessed(
    run: Run, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    serving = tmp_path / 'serving'
    model = snapshot(run.model)
    pushed = run.push(serving)
    assert capfd.readouterr().out == ''  # the process of the smoke test prints to the log
    version = pathlib.Path(destination(pushed))
    assert pushed.get_int_custom_property('pushed') == 1
    assert pushed.get_string_custom_property('pushed_version') == version.name
    assert version.parent == serving
    card = (version / CARD_PATH).read_text(encoding='utf-8')
    added = {CARD_PATH, DIGEST_PATH}
    assert {name: at for name, at in snapshot(version).items() if name not in added} == model
    assert snapshot(run.model) == model
    assert card.startswith('# Model card: sentiment\n')
    digest = digest_of_model(str(run.model))
    for fact in (
        '| accuracy | 0.9000 | ',
        ' | >= 0.8000 | ',
        '2 spans 3 to 4',
        '`a/*.csv`',
        '`f1`',
        digest,
    ):
        assert fact in card
    assert pushed.get_int_custom_property('new_version') == 1

    # The same model is live, so it is not pushed again.
    before = snapshot(serving)
    again = run.push(serving, accuracy=0.8)
    assert again.get_int_custom_property('new_version') == 0
    assert snapshot(serving) == before
    assert again.get_int_custom_property('pushed') == 1
    assert destination(again) == str(version)

    # A withdrawn model is not pushed, but if it is live, it stays live.
    at = '2026-11-25 09:00:00 UTC'
    write_withdrawals(str(serving), {digest: Withdrawal(version.name, at)})
    assert destination(run.push(serving)) == str(version)
    version.rename(serving / 'elsewhere')
    before = snapshot(serving)
    withdrawn = run.push(serving)
    assert withdrawn.get_int_custom_property('pushed') == 0
    assert withdrawn.get_string_custom_property('withdrawn_version') == version.name
    assert withdrawn.get_string_custom_property('withdrawn_at') == at
    assert snapshot(serving) == before


def test_version_is_added_when_another_one_is_live(
    run: Run, tmp_path: pathlib.Path, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, 'smoke_test', lambda *args, **options: None)
    serving = tmp_path / 'serving'
    shutil.copytree(run.model, serving / '7')
    (serving / '8').mkdir()
    shutil.copytree(exported.serving, serving / '9')
    assert int(pathlib.Path(destination(run.push(serving))).name) > 9
    assert {path.name for path in serving.glob('[0-9]')} == {'7', '8', '9'}


@pytest.mark.parametrize('before', ['nothing', 'a version'])
def test_nothing_is_pushed_when_the_live_version_changed_after_the_comparison(
    before: str, run: Run, tmp_path: pathlib.Path, exported: Exported
) -> None:
    serving = tmp_path / 'serving'
    if before == 'a version':
        shutil.copytree(exported.serving, serving / '7')

    def push_another() -> None:
        shutil.copytree(exported.serving, serving / '8')
        (serving / '8' / 'assets' / 'words').write_text('theirs')

    with pytest.raises(BaselineChangedError, match='to version 8 during the run'):
        run.push(serving, before_push=push_another)
    assert {path.name for path in serving.glob('[0-9]*')} <= {'7', '8'}


def test_nothing_is_pushed_when_the_live_version_changes_during_the_smoke_test(
    run: Run, tmp_path: pathlib.Path, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = tmp_path / 'serving'

    def push_another(*args: object, **options: object) -> None:
        shutil.copytree(exported.serving, serving / '8')

    monkeypatch.setattr(executor, 'smoke_test', push_another)
    with pytest.raises(BaselineChangedError, match='to version 8 during the run'):
        run.push(serving)
    assert {path.name for path in serving.glob('[0-9]*')} == {'8'}


@pytest.mark.parametrize('exists', [True, False])
def test_nothing_is_written_when_the_model_is_not_blessed(
    exists: bool, run: Run, tmp_path: pathlib.Path
) -> None:
    serving = tmp_path / 'serving'
    if exists:
        shutil.copytree(run.model, serving / '7')
    before = snapshot(serving)
    pushed = run.push(serving, blessed=False)
    assert pushed.get_int_custom_property('pushed') == 0
    assert not pushed.has_custom_property('pushed_destination')
    assert snapshot(serving) == before
    assert serving.exists() is exists


def test_nothing_is_pushed_when_the_smoke_test_fails(run: Run, tmp_path: pathlib.Path) -> None:
    serving = tmp_path / 'serving'
    shutil.copytree(run.model, serving / '7')
    (serving / '7' / 'assets' / 'words').write_text('others')
    before = snapshot(serving)
    text = list(run.scores)[-1]
    run.scores[text] += 0.01 if run.scores[text] < 0.5 else -0.01
    message = r'it scores as the Evaluator measured: expected 0\.\d+, .* for "'
    with pytest.raises(SmokeTestError, match=message):
        run.push(serving)
    assert snapshot(serving) == before
