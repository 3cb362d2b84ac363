"""The process of a smoke test: loads a SavedModel as a model server does, and scores texts.

It is run by its path, in a Python of its own that finds nothing of this project,
and knows only TensorFlow. What it has to do comes as JSON on standard input,
what it found goes as JSON to standard output; all that TensorFlow prints goes to
standard error. What it is asked and answers is described in `run.py`.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any, NamedTuple

# How far the same text may be scored apart: by the two signatures in the same batch, and in
# batches of other sizes, in which sums are made in another order.
_SIGNATURES_APART = 1e-6
_BATCHES_APART = 1e-5
_EXPLANATION_APART = 1e-4


class CheckFailed(Exception):
    """A check that did not hold: its name, what was expected and what came."""

    def __init__(self, check: str, expected: str, got: str) -> None:
        super().__init__(check, expected, got)
        self.check, self.expected, self.got = check, expected, got


class Scorer(NamedTuple):
    """A loaded model, called by its signatures.

    Attributes:
        tf: TensorFlow.
        model: What was loaded.
        names: Of signatures, inputs and outputs; see `run.py`.
    """

    tf: Any
    model: Any
    names: dict[str, Any]

    def by_text(self, texts: list[bytes]) -> Any:
        """Score plain texts: float `[batch]`."""
        return self._probabilities(self.names['text'], self.tf.constant(texts, self.tf.string))

    def by_example(self, texts: list[bytes]) -> Any:
        """Score the same texts as serialized examples."""
        tf = self.tf
        rows = []
        for text in texts:
            example = tf.train.Example()
            example.features.feature[self.names['text_feature']].bytes_list.value.append(text)
            rows.append(example.SerializeToString())
        return self._probabilities(self.names['examples'], tf.constant(rows, tf.string))

    def call(self, signature: dict[str, Any], batch: Any) -> dict[str, Any]:
        """Return all that a signature answers."""
        try:
            said = self.model.signatures[signature['name']](**{signature['input']: batch})
        except self.tf.errors.OpError as err:
            raise CheckFailed(
                f'{signature["name"]} answers', f'{len(batch)} scores', _first_line(err)
            ) from err
        return {name: value.numpy() for name, value in said.items()}

    def _probabilities(self, signature: dict[str, Any], batch: Any) -> Any:
        (output,) = signature['outputs']
        return self.call(signature, batch)[output]


def _main() -> None:
    answer_to = os.dup(1)
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.buffer.read())
    _limit(asked)
    # Modules are never garbage: looking through them would cost two fifths of importing them.
    gc.disable()
    import tensorflow as tf

    try:
        check(tf, asked)
        answer: dict[str, Any] = {'passed': True}
    except CheckFailed as failed:
        answer = {'check': failed.check, 'expected': failed.expected, 'got': failed.got}
    with open(answer_to, 'w', encoding='utf-8') as file:
        json.dump(answer, file)
    # Taking TensorFlow down in good order would cost more than a second.
    sys.stderr.flush()
    os._exit(0)


def _limit(asked: dict[str, Any]) -> None:
    """Let the system end this process, whatever becomes of the one that waits for it."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(asked['timeout_seconds'])
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = asked['memory_bytes']
    wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
    except (OSError, ValueError) as err:  # macOS
        print(f'memory cannot be limited here: {err}', file=sys.stderr)


def check(tf: Any, asked: dict[str, Any]) -> None:
    """Load the model and ask it everything.

    Args:
        tf: TensorFlow.
        asked: What `run.request` returns.

    Raises:
        CheckFailed: At the first check that does not hold.
    """
    names = asked['names']
    # A signature does not keep the variables of its model alive.
    scorer = Scorer(tf, _load(tf, asked['model']), names)
    for signature in (names['examples'], names['text']):
        _check_signature(tf, scorer.model, signature)
    explains = names['explain']['name'] in scorer.model.signatures
    if explains or asked['must_explain']:
        _check_signature(tf, scorer.model, names['explain'])
    _check_labels(tf, asked)
    texts = [text.encode() for text in asked['texts']]
    scores = _check_scores(scorer, texts)
    _check_known(scorer, asked['known'])
    if explains:
        _check_explanations(tf, scorer, texts, scores)


def _load(tf: Any, path: str) -> Any:
    try:
        return tf.saved_model.load(path, tags=['serve'])
    # TensorFlow raises what it likes, of protocol buffers that are cut off, among others.
    except Exception as err:
        raise CheckFailed(
            'it can be loaded',
            'a SavedModel for serving',
            f'{type(err).__name__}: {_first_line(err)}',
        ) from err


def _check_signature(tf: Any, model: Any, wanted: dict[str, Any]) -> None:
    name = wanted['name']
    if name not in model.signatures:
        got = ', '.join(sorted(model.signatures)) or 'none'
        raise CheckFailed('its signatures', f'{name!r} among them', got)
    signature = model.signatures[name]
    _, inputs = signature.structured_input_signature
    one = {wanted['input']: ('string', [None])}
    _compare_specs(tf, f'the input of {name}', one, inputs)
    _compare_specs(tf, f'the output of {name}', wanted['outputs'], signature.structured_outputs)


def _compare_specs(tf: Any, what: str, wanted: dict[str, Any], got: dict[str, Any]) -> None:
    told = ', '.join(f'{n}: {spec.dtype.name} {spec.shape}' for n, spec in sorted(got.items()))
    expected = ', '.join(
        f'{n}: {dtype} {tf.TensorShape(shape)}' for n, (dtype, shape) in sorted(wanted.items())
    )
    fits = wanted.keys() == got.keys() and all(
        got[name].dtype.name == dtype and got[name].shape.is_compatible_with(shape)
        for name, (dtype, shape) in wanted.items()
    )
    if not fits:
        raise CheckFailed(what, expected, told or 'nothing')


def _check_labels(tf: Any, asked: dict[str, Any]) -> None:
    path = f'{asked["model"]}/{asked["labels_file"]}'
    expected = 'the names of two labels, as JSON'
    try:
        with tf.io.gfile.GFile(path, 'rb') as file:
            labels = json.loads(file.read())
    except (tf.errors.OpError, ValueError) as err:
        raise CheckFailed(asked['labels_file'], expected, _first_line(err)) from err
    if not (
        isinstance(labels, list)
        and len(labels) == 2
        and all(isinstance(label, str) and label for label in labels)
        and labels[0] != labels[1]
    ):
        raise CheckFailed(asked['labels_file'], expected, json.dumps(labels)[:200])


def _check_scores(scorer: Scorer, texts: list[bytes]) -> Any:
    """Return the scores of texts, which are the same in every way of asking."""
    by_text, by_example = scorer.by_text(texts), scorer.by_example(texts)
    name, other = scorer.names['text']['name'], scorer.names['examples']['name']
    _check_probabilities(name, texts, by_text)
    _check_probabilities(other, texts, by_example)
    _check_equal(f'{name} and {other} agree', texts, by_text, by_example, _SIGNATURES_APART)
    for text, together in zip(texts, by_text):
        alone = scorer.by_text([text])
        _check_probabilities(f'{name}, alone', [text], alone)
        _check_equal(f'{name}, alone and in a batch', [text], [together], alone, _BATCHES_APART)
    return by_text


def _check_probabilities(what: str, texts: list[bytes], scores: Any) -> None:
    if scores.shape != (len(texts),):
        expected = f'{len(texts)} numbers for {len(texts)} texts'
        raise CheckFailed(what, expected, f'shape {list(scores.shape)}')
    for text, score in zip(texts, scores):
        if not 0 <= score <= 1:  # NaN is not
            raise CheckFailed(what, 'a probability in [0, 1]', f'{score} for {_quoted(text)}')


def _check_equal(what: str, texts: list[bytes], one: Any, other: Any, apart: float) -> None:
    for text, wanted, got in zip(texts, one, other):
        if not abs(float(wanted) - float(got)) <= apart:
            expected = f'{float(wanted):.7f}, within {apart:g}'
            raise CheckFailed(what, expected, f'{float(got):.7f} for {_quoted(text)}')


def _check_known(scorer: Scorer, known: list[tuple[str, float]]) -> None:
    if known:
        texts = [text.encode() for text, _ in known]
        got = scorer.by_text(texts)
        _check_probabilities('reviews of test', texts, got)
        wanted = [score for _, score in known]
        _check_equal('it scores as the Evaluator measured', texts, wanted, got, _BATCHES_APART)


def _check_explanations(tf: Any, scorer: Scorer, texts: list[bytes], scores: Any) -> None:
    signature = scorer.names['explain']
    said = scorer.call(signature, tf.constant(texts, tf.string))
    parts = {role: said[name] for role, name in signature['roles'].items()}
    counts = {len(parts[role]) for role in ('ngrams', 'contributions', 'rows')}
    if len(counts) != 1 or parts['bias'].shape != (len(texts),):
        got = ', '.join(f'{name} {list(value.shape)}' for name, value in sorted(said.items()))
        raise CheckFailed(signature['name'], f'as many of each part, {len(texts)} biases', got)
    logits = [float(bias) for bias in parts['bias']]
    for row, contribution in zip(parts['rows'].tolist(), parts['contributions'].tolist()):
        if not 0 <= row < len(texts):
            raise CheckFailed(signature['name'], f'rows in [0, {len(texts)})', str(row))
        logits[row] += contribution
    added = [float(tf.sigmoid(tf.constant(logit, tf.float64))) for logit in logits]
    _check_equal(f'{signature["name"]} adds up', texts, scores, added, _EXPLANATION_APART)


def _quoted(text: bytes) -> str:
    told = text.decode(errors='replace')
    return json.dumps(told if len(told) <= 60 else f'{told[:60]}…', ensure_ascii=False)


def _lines(err: BaseException) -> Iterator[str]:
    yield from (line for line in str(err).strip().splitlines() if line.strip())
    yield type(err).__name__


def _first_line(err: BaseException) -> str:
    return next(_lines(err))[:300]


if __name__ == '__main__':
    try:
        _main()
    except BaseException:
        traceback.print_exc()
        # Threads of a library that could not start would be waited for until the time is over.
        os._exit(1)
