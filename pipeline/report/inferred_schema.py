"""Infers a schema from the training split of a run, for review."""

from __future__ import annotations

import pathlib

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common import features
from components.common.errors import DataError
from components.schema.component import CURATED_SCHEMA
from components.statistics_gen.stored_statistics import read_statistics
from pipeline.report.lineage import Lineage
from pipeline.results.outcome import load_outcome
from pipeline.store.choice import backend_of_run


def infer_schema(root: pathlib.Path, run_id: str | None) -> str:
    """Return the curated schema with inferred entries for all other features of a run.

    Args:
        root: The folder of all runs.
        run_id: Id of the run; None for the latest run.

    Returns:
        A `Schema` as text proto, for `data.schema_file`.

    Raises:
        DataError: If there is no such run, or its statistics do not exist any more.
    """
    outcome = load_outcome(root, run_id)
    config = backend_of_run(outcome.config, root).reader()
    nodes = Lineage(config).nodes(outcome.run_id) if config else {}
    uri = nodes['StatisticsGen'].uri('statistics') if 'StatisticsGen' in nodes else None
    try:
        found = read_statistics(uri or '', features.TRAIN_SPLIT)
    except (OSError, ValueError) as err:
        reason = getattr(err, 'strerror', None) or err
        raise DataError(
            f'the statistics of run {outcome.run_id} cannot be read: {reason}',
            hint='run the pipeline again',
        ) from err
    return merge_schema(found)


def merge_schema(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> str:
    """Return the curated schema with the entries that TFDV infers for all other features."""
    schema = tfdv.load_schema_text(str(CURATED_SCHEMA))
    inferred = tfdv.infer_schema(statistics)
    curated = {feature.name for feature in schema.feature}
    further = [feature for feature in inferred.feature if feature.name not in curated]
    schema.feature.extend(further)
    domains = {feature.domain for feature in further}
    schema.string_domain.extend(each for each in inferred.string_domain if each.name in domains)
    return str(schema)
