"""Trains a peer, and prints its accuracy and the folder of its model as one line of JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import pathlib

from benchmarks.peers import PeerTask


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('module')
    parser.add_argument('archive')
    parser.add_argument('output_dir', type=pathlib.Path)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--variant', default='')
    options = parser.parse_args()
    model_dir = options.output_dir / 'model'
    model_dir.mkdir(parents=True)
    peer = importlib.import_module(f'benchmarks.peers.{options.module}')
    task = PeerTask(options.archive, model_dir, options.seed, options.variant)
    labels, probabilities = peer.train(task)
    matches = [(p > 0.5) == (label == 1) for p, label in zip(probabilities, labels)]
    accuracy = sum(map(int, matches)) / len(labels)
    print(json.dumps({'metrics': {'accuracy': accuracy}, 'model': str(model_dir)}), flush=True)


if __name__ == '__main__':
    main()
