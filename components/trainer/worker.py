"""A worker beside the one that runs the pipeline: reads its part, trains along, writes nothing.

    TF_CONFIG='{"cluster": …, "task": {"type": "worker", "index": 1}}' \\
        python -m components.trainer.worker

It waits for the chief to come as far as its Trainer, is told by it what to train, and
ends with it. It must see the same files under the same paths.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from components.common.errors import INTERRUPTED_EXIT_CODE, ConfigError, ReviewsError
from components.common.progress import PROGRESS_LOGGER
from components.trainer.distribution.cluster import VARIABLE, await_chief, read_cluster
from components.trainer.distribution.supervision import train_as_worker

_CHIEF_SECONDS = 3_600.0


def main(argv: Sequence[str]) -> int:
    """Train along, and return an exit code as `pipeline_runner.py` has them.

    Args:
        argv: `--timeout-seconds N`: how long the chief may take to begin.
    """
    parser = argparse.ArgumentParser(prog='python -m components.trainer.worker')
    parser.add_argument('--timeout-seconds', type=float, default=_CHIEF_SECONDS)
    args = parser.parse_args(argv)
    progress = logging.getLogger(PROGRESS_LOGGER)
    progress.setLevel(logging.INFO)
    progress.addHandler(logging.StreamHandler(sys.stderr))
    progress.propagate = False
    try:
        cluster = read_cluster(os.environ)
        if cluster.is_chief:
            raise ConfigError(
                f'{VARIABLE} says that this is the chief, which is the Trainer of a pipeline',
                hint='here, run the pipeline with trainer.distribution=multi_worker',
            )
        chief = cluster.addresses[0]
        print(f'worker {cluster.index}: waiting for the chief {chief}', file=sys.stderr, flush=True)
        await_chief(cluster, args.timeout_seconds)
        counts = train_as_worker(cluster)
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except ReviewsError as err:
        print(f'error: {err}', file=sys.stderr)
        if err.hint:
            print(f'  {err.hint}', file=sys.stderr)
        return err.exit_code
    read = ', '.join(
        f'{of_workers[cluster.index]:,} of {sum(of_workers):,} examples of {split}'
        for split, of_workers in counts.items()
    )
    print(f'worker {cluster.index}: read {read}; the chief has the model', file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
