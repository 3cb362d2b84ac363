"""Saves small models that differ in one thing; imports TensorFlow alone, to be quick."""

from __future__ import annotations

import pathlib
from typing import Any

import tensorflow as tf

LOWER, UPPER = tf.strings.lower, tf.strings.upper
# Models differ in one of these.
USUAL: dict[str, Any] = {
    'weights': (1.5, -0.5),
    'words': ('good', 'bad'),
    'clean': LOWER,
    'threshold': 2,
    'swap_branches': False,
    'swap_variables': False,
    'tables': 1,
    'output': 'probability',
    'signature': 'serving_text',
}


def save(folder: pathlib.Path, **changes: Any) -> pathlib.Path:
    """Write a model with variables, a vocabulary, a branch, a loop and a custom gradient.

    Args:
        folder: The folder of the model. The vocabulary has a path in it while it is saved.
        changes: What differs from `USUAL`.
    """
    of: dict[str, Any] = {**USUAL, **changes}
    words = folder.with_suffix('.transformed') / 'words'
    words.parent.mkdir(parents=True)
    words.write_text('\n'.join(of['words']) + '\n')

    def table() -> tf.lookup.StaticVocabularyTable:
        kinds = (tf.string, tf.lookup.TextFileIndex.WHOLE_LINE)
        values = (tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)
        file = tf.lookup.TextFileInitializer(str(words), *kinds, *values)
        return tf.lookup.StaticVocabularyTable(file, 1)

    module = tf.Module()
    module.tables = [table() for _ in range(of['tables'])]
    module.first, module.second = (tf.Variable(weight) for weight in of['weights'])

    @tf.custom_gradient
    def scale(value: tf.Tensor) -> Any:
        return value * module.first, lambda upstream, variables=None: (upstream, [upstream])

    def score(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = module.tables[0].lookup(of['clean'](text)) + module.tables[-1].lookup(text)
        branches = [lambda: ids * 2, lambda: ids + 1]
        if of['swap_branches']:
            branches.reverse()
        ids = tf.cond(tf.size(text) > of['threshold'], *branches)
        (ids,) = tf.while_loop(lambda x: tf.reduce_max(x) < 9, lambda x: [x + 1], [ids])
        numbers = tf.cast(ids, tf.float32)
        if of['swap_variables']:
            return {of['output']: tf.sigmoid(numbers * module.second + module.first)}
        return {of['output']: tf.sigmoid(scale(numbers) + module.second)}

    spec = tf.TensorSpec([None], tf.string, name='text')
    module.score = tf.function(score, input_signature=[spec])
    concrete = module.score.get_concrete_function()
    tf.saved_model.save(module, str(folder), signatures={of['signature']: concrete})
    return folder
