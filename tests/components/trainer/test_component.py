from __future__ import annotations

import json
import pydoc

from tfx.types import channel_utils, standard_artifacts

from components.common.settings import TextSettings
from components.trainer import run
from components.trainer.component import make_trainer
from components.trainer.run import TEXT_KEY, TRAINER_KEY
from components.trainer.settings import TrainerSettings
from tests.components.trainer.settings import trainer_settings

TEXT = TextSettings(vocab_size=77, max_tokens=9)
TRAINER = trainer_settings(
    'tutorial', seed=7, epochs=3, learning_rate=3e-4, restore_best_epoch=True
)


def test_node_has_function_settings_and_splits_when_it_is_made() -> None:
    examples, transform_graph, schema = (
        channel_utils.as_channel([artifact()])
        for artifact in (
            standard_artifacts.Examples,
            standard_artifacts.TransformGraph,
            standard_artifacts.Schema,
        )
    )
    node = make_trainer(examples, transform_graph, schema, trainer=TRAINER, text=TEXT)
    assert node.id == 'Trainer'
    # TFX loads a module below the temporary folder anew, so the function is looked up late.
    assert pydoc.locate(node.exec_properties['run_fn']) is run.run_fn
    custom_config = json.loads(node.exec_properties['custom_config'])
    assert TrainerSettings.model_validate(custom_config[TRAINER_KEY]) == TRAINER
    assert TextSettings.model_validate(custom_config[TEXT_KEY]) == TEXT
    # The test split is for the Evaluator alone.
    assert json.loads(node.exec_properties['train_args'])['splits'] == ['train']
    assert json.loads(node.exec_properties['eval_args'])['splits'] == ['val']
