"""The process of a smoke test: loads a SavedModel as a model server does, and scores texts.

It runs by its path, in a Python process that cannot import this project and
needs only TensorFlow. It reads a request, see `run.make_request`, as JSON from
standard input, and writes its result as JSON to standard output; what TensorFlow
prints goes to standard error.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import resource
import signal
import sys
import traceback
import types
from typing import Any

# Largest differences between two scores of a text: by two signatures in the same batch, in batches
# of different sizes, which add up in another order, and by the sum of an explanation.
_SIGNATURE_TOLERANCE = 1e-6
_BATCH_TOLERANCE = 1e-5
_EXPLANATION_TOLERANCE = 1e-4


# Dtype and shape of tensors, by name.
Specs = dict[str, tuple[str, list[int | None]]]


class CheckFailed(Exception):
    """A check failed: its name, what was expected, and what was received."""

    def __init__(self, check: str, expected: str, got: str) -> None:
        super().__init__(check, expected, got)
        self.check, self.expected, self.got = check, expected, got


class Scorer:
    """A loaded model, called by its signatures.

    Args:
        tf: TensorFlow.
        model: The model.
        names: The constants of `features`.
    """

    def __init__(self, tf: Any, model: Any, names: types.SimpleNamespace) -> None:
        self.tf, self.model, self.names = tf, model, names
        # A user's model may need more than the text.
        self.takes_texts = names.TEXT_SIGNATURE in model.signatures

    def score_texts(self, texts: list[bytes]) -> Any:
        """Score plain texts: float `[batch]`."""
        if not self.takes_texts:
            return self.score_examples(texts)
        outputs = self.call(self.names.TEXT_SIGNATURE, self.names.TEXT_INPUT, texts)
        return outputs[self.names.PROBABILITY_KEY]

    def score_examples(self, texts: list[bytes]) -> Any:
        """Score the same texts as serialized examples."""
        return self.score_rows(self.make_rows(texts))

    def make_rows(self, texts: list[bytes]) -> list[bytes]:
        """Serialize examples that have a text and nothing else."""
        rows = []
        for text in texts:
            example = self.tf.train.Example()
            example.features.feature[self.names.TEXT_KEY].bytes_list.value.append(text)
            rows.append(example.SerializeToString())
        return rows

    def score_rows(self, rows: list[bytes]) -> Any:
        """Score serialized examples: float `[batch]`."""
        outputs = self.call(self.names.EXAMPLES_SIGNATURE, self.names.EXAMPLES_INPUT, rows)
        return outputs[self.names.PROBABILITY_KEY]

    def call(self, signature: str, name: str, batch: list[bytes]) -> dict[str, Any]:
        """Return all outputs of a signature for a batch of strings as the input `name`."""
        strings = self.tf.constant(batch, self.tf.string)
        try:
            outputs = self.model.signatures[signature](**{name: strings})
        except self.tf.errors.OpError as err:
            scores = f'{len(batch)} scores'
            raise CheckFailed(f'{signature} answers', scores, _first_line(err)) from err
        return {key: value.numpy() for key, value in outputs.items()}

    def check_signature(
        self, signature: str, name: str, outputs: Specs, *, others: bool = False
    ) -> None:
        """Check name and type of the input of a signature, and of its outputs.

        Args:
            signature: Its name.
            name: Name of its input, strings.
            outputs: Its outputs.
            others: Whether it may have further outputs.
        """
        signatures = self.model.signatures
        if signature not in signatures:
            got = ', '.join(sorted(signatures)) or 'none'
            raise CheckFailed('its signatures', f'{signature!r} among them', got)
        _, inputs = signatures[signature].structured_input_signature
        found = dict(signatures[signature].structured_outputs)
        if others:
            found = {key: spec for key, spec in found.items() if key in outputs} or found
        self._check_specs(f'the input of {signature}', {name: ('string', [None])}, inputs)
        self._check_specs(f'the output of {signature}', outputs, found)

    def _check_specs(self, what: str, specs: Specs, got: dict[str, Any]) -> None:
        fits = specs.keys() == got.keys() and all(
            got[name].dtype.name == dtype and got[name].shape.is_compatible_with(shape)
            for name, (dtype, shape) in specs.items()
        )
        if not fits:
            expected = ', '.join(
                f'{name}: {dtype} {self.tf.TensorShape(shape)}'
                for name, (dtype, shape) in sorted(specs.items())
            )
            found = (f'{n}: {spec.dtype.name} {spec.shape}' for n, spec in sorted(got.items()))
            raise CheckFailed(what, expected, ', '.join(found) or 'nothing')


def _main() -> None:
    result_descriptor = os.dup(1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.read())
    _limit(request)
    # Modules are never garbage: collection would take two fifths of the time to import them.
    gc.disable()
    # TensorFlow imports Keras if it is there. A model server has none, and a model needs none.
    sys.modules['keras'] = None  # type: ignore[assignment]
    import tensorflow as tf

    try:
        check(tf, request)
        result: dict[str, Any] = {'passed': True}
    except CheckFailed as failed:
        result = {'check': failed.check, 'expected': failed.expected, 'got': failed.got}
    with open(result_descriptor, 'w', encoding='utf-8') as file:
        json.dump(result, file)
    # An orderly exit of TensorFlow would take more than a second.
    sys.stderr.flush()
    os._exit(0)


def _limit(request: dict[str, Any]) -> None:
    """Limit time and memory by the system, in case the waiting process has ended."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(request['timeout_seconds'])
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = request['memory_bytes']
    limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    except (OSError, ValueError) as err:  # macOS
        print(f'memory cannot be limited here: {err}', file=sys.stderr)


def check(tf: Any, request: dict[str, Any]) -> None:
    """Load the model and run all checks.

    Args:
        tf: TensorFlow.
        request: See `run.make_request`.

    Raises:
        CheckFailed: At the first check that fails.
    """
    names = types.SimpleNamespace(**request['names'])
    scorer = Scorer(tf, _load(tf, request['model']), names)
    probability: Specs = {names.PROBABILITY_KEY: ('float32', [None])}
    of_user = _is_of_user(tf, request)
    scorer.check_signature(
        names.EXAMPLES_SIGNATURE, names.EXAMPLES_INPUT, probability, others=of_user
    )
    if scorer.takes_texts or not of_user:
        scorer.check_signature(names.TEXT_SIGNATURE, names.TEXT_INPUT, probability)
    explains = names.EXPLAIN_SIGNATURE in scorer.model.signatures
    if explains or (request['must_explain'] and not of_user):
        parts: Specs = {
            names.NGRAMS_KEY: ('string', [None]),
            names.CONTRIBUTIONS_KEY: ('float32', [None]),
            names.ROWS_KEY: ('int64', [None]),
            names.BIAS_KEY: ('float32', [None]),
        }
        scorer.check_signature(names.EXPLAIN_SIGNATURE, names.TEXT_INPUT, parts)
    _check_labels(tf, request)
    texts = [text.encode() for text in request['texts']]
    scores = _check_scores(scorer, texts)
    if request['known']:
        known = [text.encode() for text, _, _ in request['known']]
        expected = [score for _, score, _ in request['known']]
        rows = [base64.b64decode(row) for _, _, row in request['known']]
        got = scorer.score_rows(rows) if all(rows) else scorer.score_texts(known)
        _check_probabilities('reviews of test', known, got)
        _check_equal('it scores as the Evaluator measured', known, expected, got, _BATCH_TOLERANCE)
    if explains:
        _check_explanations(scorer, texts, scores)
    if request['must_explain']:
        _check_server_loader(scorer, request['model'], texts)


def _check_server_loader(scorer: Scorer, path: str, texts: list[bytes]) -> None:
    """Check that the loader of a model server gives the same scores.

    TensorFlow Serving loads a model in C++. The loader of TensorFlow 1 runs the same
    operations of the file; that of TensorFlow 2 restores variables in another way, so it
    also loads models that a server cannot load.
    """
    tf, names, what = scorer.tf, scorer.names, 'a model server can load it'
    try:
        with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
            loaded = tf.compat.v1.saved_model.load(session, ['serve'], path)
            signature = loaded.signature_def[names.EXAMPLES_SIGNATURE]
            got = session.run(
                signature.outputs[names.PROBABILITY_KEY].name,
                {signature.inputs[names.EXAMPLES_INPUT].name: scorer.make_rows(texts)},
            )
    # TensorFlow raises exceptions of many classes.
    except Exception as err:
        raise CheckFailed(what, f'{len(texts)} scores', _first_line(err)) from err
    _check_equal(what, texts, scorer.score_examples(texts), got, _SIGNATURE_TOLERANCE)


def _is_of_user(tf: Any, request: dict[str, Any]) -> bool:
    """Return whether a user's module made the model, which may lack signatures and has others."""
    path = f'{request["model"]}/{request["settings_file"]}'
    try:
        with tf.io.gfile.GFile(path, 'rb') as file:
            settings = json.loads(file.read())
        architecture = settings['trainer']['model']['architecture']
    except (tf.errors.OpError, ValueError, LookupError, TypeError):
        return False
    return bool(architecture == request['names']['MODULE_ARCHITECTURE'])


def _load(tf: Any, path: str) -> Any:
    try:
        return tf.saved_model.load(path, tags=['serve'])
    # TensorFlow raises exceptions of many classes, such as those of protocol buffers.
    except Exception as err:
        raise CheckFailed(
            'it can be loaded',
            'a SavedModel for serving',
            f'{type(err).__name__}: {_first_line(err)}',
        ) from err


def _check_labels(tf: Any, request: dict[str, Any]) -> None:
    path = f'{request["model"]}/{request["labels_file"]}'
    expected = 'the names of two labels, as JSON'
    try:
        with tf.io.gfile.GFile(path, 'rb') as file:
            labels = json.loads(file.read())
    except (tf.errors.OpError, ValueError) as err:
        raise CheckFailed(request['labels_file'], expected, _first_line(err)) from err
    if not (
        isinstance(labels, list)
        and len(labels) == 2
        and all(isinstance(label, str) and label for label in labels)
        and labels[0] != labels[1]
    ):
        raise CheckFailed(request['labels_file'], expected, json.dumps(labels)[:200])


def _check_scores(scorer: Scorer, texts: list[bytes]) -> Any:
    """Return the scores of texts, which must not depend on signature and batch."""
    by_text, by_example = scorer.score_texts(texts), scorer.score_examples(texts)
    name, other = scorer.names.TEXT_SIGNATURE, scorer.names.EXAMPLES_SIGNATURE
    _check_probabilities(name, texts, by_text)
    _check_probabilities(other, texts, by_example)
    _check_equal(f'{name} and {other} agree', texts, by_text, by_example, _SIGNATURE_TOLERANCE)
    for text, together in zip(texts, by_text):
        alone = scorer.score_texts([text])
        _check_probabilities(f'{name}, alone', [text], alone)
        _check_equal(f'{name}, alone and in a batch', [text], [together], alone, _BATCH_TOLERANCE)
    return by_text


def _check_probabilities(what: str, texts: list[bytes], scores: Any) -> None:
    if scores.shape != (len(texts),):
        expected = f'{len(texts)} numbers for {len(texts)} texts'
        raise CheckFailed(what, expected, f'shape {list(scores.shape)}')
    for text, score in zip(texts, scores):
        if not 0 <= score <= 1:  # NaN is not
            raise CheckFailed(what, 'a probability in [0, 1]', f'{score} for {_quoted(text)}')


def _check_equal(what: str, texts: list[bytes], one: Any, other: Any, tolerance: float) -> None:
    for text, wanted, got in zip(texts, one, other):
        if not abs(float(wanted) - float(got)) <= tolerance:
            expected = f'{float(wanted):.7f}, within {tolerance:g}'
            raise CheckFailed(what, expected, f'{float(got):.7f} for {_quoted(text)}')


def _check_explanations(scorer: Scorer, texts: list[bytes], scores: Any) -> None:
    names, name, tf = scorer.names, scorer.names.EXPLAIN_SIGNATURE, scorer.tf
    outputs = scorer.call(name, names.TEXT_INPUT, texts)
    keys = names.NGRAMS_KEY, names.CONTRIBUTIONS_KEY, names.ROWS_KEY, names.BIAS_KEY
    ngrams, contributions, rows, biases = (outputs[key] for key in keys)
    if len({len(ngrams), len(contributions), len(rows)}) != 1 or biases.shape != (len(texts),):
        got = ', '.join(f'{key} {list(value.shape)}' for key, value in sorted(outputs.items()))
        raise CheckFailed(name, f'as many of each part, {len(texts)} biases', got)
    logits = [float(bias) for bias in biases]
    for row, contribution in zip(rows.tolist(), contributions.tolist()):
        if not 0 <= row < len(texts):
            raise CheckFailed(name, f'rows in [0, {len(texts)})', str(row))
        logits[row] += contribution
    sums = [float(tf.sigmoid(tf.constant(logit, tf.float64))) for logit in logits]
    _check_equal(f'{name} adds up', texts, scores, sums, _EXPLANATION_TOLERANCE)


def _quoted(text: bytes) -> str:
    shown = text.decode(errors='replace')
    return json.dumps(shown if len(shown) <= 60 else f'{shown[:60]}…', ensure_ascii=False)


def _first_line(err: BaseException) -> str:
    text = str(err).replace('Graph execution error:', '').strip()
    return (text or type(err).__name__).splitlines()[0][:300]


if __name__ == '__main__':
    try:
        _main()
    except BaseException:
        traceback.print_exc()
        # An orderly exit would wait for threads of a library that failed to start.
        os._exit(1)
