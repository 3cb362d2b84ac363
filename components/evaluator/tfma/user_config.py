"""Reads a TFMA configuration of the user's, which replaces the bounds of the settings."""

from __future__ import annotations

import pathlib
from textwrap import shorten

import tensorflow_model_analysis as tfma
from google.protobuf import json_format, text_format
from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.proto import config_pb2

from components.common import features
from components.common.errors import ConfigError

# TFMA adds these metrics itself.
_DEFAULT_METRICS = {'example_count', 'weighted_example_count'}
_HINT = (
    'correct the file; the fields are those of tfma.EvalConfig, and examples/eval_config.json is '
    'an example'
)


def load_eval_config(path: str) -> config_pb2.EvalConfig:
    """Read a configuration, complete it, and check that TFMA can evaluate and validate with it.

    Args:
        path: The file, JSON or text proto.

    Returns:
        The configuration with one model_spec, whose missing fields are those of a
        served model, and with the whole test split among its slices.

    Raises:
        ConfigError: If the file cannot be parsed, names an unknown metric, or has no
            threshold that a candidate without a baseline must meet.

    Example:
        config = load_eval_config('examples/eval_config.json')
    """
    try:
        text = pathlib.Path(path).read_text(encoding='utf-8')
        parse = json_format.Parse if text.lstrip().startswith('{') else text_format.Parse
        config = parse(text, config_pb2.EvalConfig())
    except (OSError, ValueError, json_format.ParseError, text_format.ParseError) as err:
        raise _error(path, err) from err
    if len(config.model_specs) > 1 or any(spec.model_names for spec in config.metrics_specs):
        raise _error(
            path,
            'expected at most one model_spec and no model_names: candidate and baseline are '
            'evaluated in the same way',
        )
    _complete(config)
    for has_baseline in (False, True):
        try:
            unfit = _problem(config, has_baseline=has_baseline)
        # TFMA and Keras raise many types for what is wrong in a metric.
        except Exception as err:
            raise _error(path, err) from err
        if unfit:
            raise _error(path, unfit)
    return config


def _complete(config: config_pb2.EvalConfig) -> None:
    model = config.model_specs[0] if config.model_specs else config.model_specs.add()
    # TFMA names the models.
    model.name, model.is_baseline = '', False
    model.signature_name = model.signature_name or features.EXAMPLES_SIGNATURE
    model.model_type = model.model_type or tfma.constants.TF_GENERIC
    if not model.prediction_keys:
        model.prediction_key = model.prediction_key or features.PROBABILITY_KEY
    if not model.label_keys:
        model.label_key = model.label_key or features.LABEL_KEY
    if config_pb2.SlicingSpec() not in config.slicing_specs:
        config.slicing_specs.insert(0, config_pb2.SlicingSpec())
    # Report, model card and Pusher read all outputs.
    config.options.ClearField('disabled_outputs')


def _problem(config: config_pb2.EvalConfig, *, has_baseline: bool) -> str:
    """Return what is wrong with a configuration, or nothing; TFMA may raise any error."""
    config = tfma.utils.update_eval_config_with_defaults(
        config, has_baseline=has_baseline, rubber_stamp=True
    )
    tfma.utils.verify_eval_config(config)
    computations = metric_specs.to_computations(config.metrics_specs, eval_config=config)
    known = {key.name for computation in computations for key in computation.keys}
    thresholds = tfma.metrics.metric_thresholds_from_metrics_specs(
        config.metrics_specs, eval_config=config
    )
    for key, of_metric in thresholds.items():
        if key.name not in known | _DEFAULT_METRICS:
            return f'there is no metric {key.name!r} for a threshold'
        for _, threshold in of_metric:
            if isinstance(threshold, config_pb2.GenericChangeThreshold):
                if not threshold.direction:
                    return f'the change_threshold of {key.name!r} has no direction'
            elif not threshold.ByteSize():
                return f'the value_threshold of {key.name!r} has no bound'
    if not thresholds:
        return 'expected a value_threshold: nothing is blessed without a bound'
    return ''


def _error(path: str, reason: object) -> ConfigError:
    text = shorten(str(reason), 300).rstrip('.')
    return ConfigError(f'gate.eval_config: {path} is not usable: {text}', hint=_HINT)
