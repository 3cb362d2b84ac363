"""Options of the commands that use a service, and the client built from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import SETTINGS, takes
from pipeline.cloud.targets import TARGETS

if TYPE_CHECKING:
    from pipeline.cloud.clients.service import Service
    from pipeline.cloud.targets import Target

TARGET = click.option(
    '--target',
    type=click.Choice(TARGETS),
    required=True,
    help='Service that runs the pipeline.',
)
IMAGE = click.option('--image', metavar='IMAGE', help='Container image that contains this project.')
PIPELINE_ROOT = click.option(
    '--pipeline-root',
    metavar='DIR',
    help='Folder for the artifacts: gs://, or on Kubeflow also s3:// or minio:// '
    '[Kubeflow: default of the cluster].',
)
PLACES = (
    click.option(
        '--serving-dir',
        metavar='DIR',
        help='Folder for pushed versions: gs://, or on Kubeflow also a path on a volume.',
    ),
    click.option(
        '--root',
        metavar='DIR',
        help='Folder for the outputs of local runs; this command does not use it.',
    ),
)
PARAM = click.option(
    '--param',
    'params',
    multiple=True,
    metavar='NAME=VALUE',
    help='Set a run-time parameter, such as epochs=5. Repeatable.',
)
CONNECTION = (
    click.option(
        '--host',
        metavar='URL',
        help='Address of the API of the service [default: Kubeflow Pipelines in the current '
        'context of the kubeconfig file; Vertex AI of the region].',
    ),
    click.option(
        '--token-file',
        metavar='FILE',
        help='File with the token for Kubeflow Pipelines [default: the variable KFP_TOKEN].',
    ),
    click.option('--namespace', metavar='NAME', help='Kubeflow namespace of the runs.'),
    click.option(
        '--client-option',
        multiple=True,
        metavar='NAME=VALUE',
        help='Kubeflow Pipelines: argument of kfp.Client, such as cookies, ssl_ca_cert, client_id, '
        'kube_context or proxy; NAME=@FILE reads the value from a file. Repeatable.',
    ),
    click.option('--project', metavar='ID', help='Google Cloud project.'),
    click.option('--region', metavar='REGION', help='Google Cloud region, such as europe-west4.'),
)
# How a run is started, also by a schedule.
RUN = (
    click.option(
        '--experiment',
        metavar='NAME',
        help='Kubeflow Pipelines: experiment of the runs [default: the name of the pipeline].',
    ),
    click.option('--service-account', metavar='NAME', help='Service account that the runs use.'),
    click.option(
        '--network', metavar='NAME', help='Vertex AI: full name of the VPC network to peer with.'
    ),
    click.option(
        '--reserved-ip-range',
        multiple=True,
        metavar='NAME',
        help='Vertex AI: name of an IP range of --network that the steps may use. Repeatable.',
    ),
    click.option(
        '--label',
        multiple=True,
        metavar='NAME=VALUE',
        help='Vertex AI: label of the run. Repeatable.',
    ),
    click.option(
        '--encryption-key',
        metavar='NAME',
        help='Vertex AI: full name of the Cloud KMS key that encrypts the run and what it creates.',
    ),
    click.option(
        '--failure-policy',
        type=click.Choice(('fast', 'slow')),
        help='Vertex AI: after a failed step, start no new steps (fast), or start those that do '
        'not need it (slow) [default: slow].',
    ),
)
FOLLOWING = (
    click.option(
        '--poll',
        type=click.FloatRange(min=1),
        default=15,
        metavar='SECONDS',
        help='Time between two requests while waiting [default: 15].',
    ),
    click.option(
        '--timeout',
        type=click.FloatRange(min=1),
        default=86_400,
        metavar='SECONDS',
        help='Longest time to wait [default: 86400].',
    ),
)
NO_CACHE = click.option(
    '--no-cache', is_flag=True, help='Execute all nodes, even if they are cached.'
)

# The options of a command that compiles, and of one that also sends the result to a service.
compiles = takes(TARGET, IMAGE, PIPELINE_ROOT, *SETTINGS, *PLACES)
compiles_for_service = takes(
    TARGET, IMAGE, PIPELINE_ROOT, *CONNECTION, *RUN, PARAM, *SETTINGS, *PLACES
)


def nodes_to_execute(again: tuple[str, ...], *, no_cache: bool) -> tuple[str, ...]:
    """Return the nodes of --again, or all nodes with --no-cache."""
    from pipeline.settings.cloud import CONTAINER_NODES

    return CONTAINER_NODES if no_cache else again


def connect_to(target: Target, options: dict[str, Any]) -> Service:
    """Return the client of a service from the values of the options.

    Raises:
        ReviewsError: If an option is missing, wrong or for another service, or the client
            cannot be created.
    """
    from pipeline.cloud.clients.connection import connect
    from pipeline.cloud.clients.status_line import print_status

    names = (
        *('host', 'token_file', 'namespace', 'client_option', 'project', 'region'),
        *('experiment', 'service_account', 'network', 'reserved_ip_range'),
        *('label', 'encryption_key', 'failure_policy'),
    )
    return connect(target, {name: options.get(name) for name in names}, print_status)
