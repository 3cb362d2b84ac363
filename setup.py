"""The package and its direct dependencies. The exact versions are in requirements/."""

from __future__ import annotations

import pathlib

# TFX 1.21 loads only where glibc is 2.39 or newer, and on Apple silicon. TFX 1.16 is
# the last version that loads elsewhere, and Python 3.10 is the last that it supports.
# The version of Python therefore selects the stack.
INSTALL_REQUIRES = [
    # The nodes, the local runner and the compiler for clusters.
    'tfx==1.16.0; python_version < "3.11"',
    'tfx==1.21.0; python_version >= "3.11"',
    # The Beam that TFX 1.16 was tested with. Newer versions do not install dill, which
    # tfx-bsl 1.16.1 imports without declaring it.
    'apache-beam==2.59.0; python_version < "3.11"',
    # The packages below come with TFX; this code imports them itself. TFX's own
    # requirements decide their versions.
    # Models and their serving signatures.
    'tensorflow',
    'keras',
    # Preprocessing that training and serving share.
    'tensorflow-transform',
    # The metrics and the gate of the Evaluator.
    'tensorflow-model-analysis',
    # Statistics of the examples, and anomalies.
    'tensorflow-data-validation',
    # The schema and the statistics as protocol buffers.
    'tensorflow-metadata',
    # Reads examples into record batches for the statistics.
    'tfx-bsl',
    # The store of artifacts and executions.
    'ml-metadata',
    # Arrays of labels, scores and token ids.
    'numpy',
    # Sparse matrices of texts and n-grams, for the linear model.
    'scipy',
    # The linear support vector machine and its calibration.
    'scikit-learn',
    # Counts the words in columns of text.
    'pyarrow',
    # The messages of ML Metadata, the schema and the gate.
    'protobuf',
    # The training curves. TensorFlow 2.21 no longer installs it.
    'tensorboard',
    # The command line.
    'click>=8.1',
    # Tables and progress in a terminal.
    'rich>=13',
    # Validates the settings.
    'pydantic>=2.7',
    # Settings files.
    'pyyaml>=6',
    # The locks of runs and of the folder of pushed versions.
    'filelock>=3.20',
    # Asks a MySQL server for its version, schema and errors, which ML Metadata's own
    # client does not report.
    'PyMySQL>=1.1',
    # Downloads the IMDB reviews, and checks their checksum.
    'pooch>=1.8',
    # The errors that pooch and the Google Cloud client raise.
    'requests>=2.31',
    # The locks of a run and of a serving folder.
    'filelock>=3.12',
    # Checks a MySQL server before ML Metadata connects to it.
    'PyMySQL>=1.1',
    # The HTML of a report, with values from the data escaped.
    'jinja2>=3.1',
    'markupsafe>=2.1',
    # The charts of a report: Vega-Lite to SVG, without a network, so that the page
    # needs no script.
    'vl-convert-python>=1.7',
]

DEV_REQUIRES = [
    'pytest',
    # A pipeline that hangs fails its own test, not the whole session.
    'pytest-timeout',
    # Runs two test files at a time.
    'pytest-xdist',
    # Runs the tests in random order, and prints the seed.
    'pytest-randomly',
    # Generates texts and damaged files.
    'hypothesis',
    'ruff',
    'mypy',
    # Checks the import contracts in pyproject.toml.
    'import-linter',
    'types-PyYAML',
    # Drives Debian's Chromium, in which reports are tested, and checks them for
    # accessibility with axe.
    'playwright',
    'axe-playwright-python',
    # Reduces the size of the README's picture of a report.
    'pillow',
]

BENCH_REQUIRES = [
    # Two of the peers: TF-IDF with logistic regression, and NB-SVM.
    'scikit-learn',
    # Another peer. fastText itself is no longer maintained and has no wheels; this
    # package has the same code, built for the numpy of both stacks.
    'fasttext-community',
    # TFX installs the user code of its own example with it, at run time.
    'pip',
    # Draws the plot of time and memory.
    'matplotlib',
]

KUBEFLOW_REQUIRES = [
    # The client, and the specification that TFX compiles to. Version 2.5 is the last
    # that supports protobuf 3, which TFX 1.16 requires.
    'kfp==2.5.0; python_version < "3.11"',
    'kfp==2.16.1; python_version >= "3.11"',
]

VERTEX_REQUIRES = [
    # The client.
    'google-cloud-aiplatform>=1.165,<2',
    # The pipeline specification, without the client of Kubeflow Pipelines.
    'kfp-pipeline-spec==0.2.2; python_version < "3.11"',
    'kfp-pipeline-spec>=2.16,<3; python_version >= "3.11"',
]

# requirements/lock.py reads the lists above by running this file without setuptools.
if __name__ == '__main__':
    from setuptools import find_packages, setup  # type: ignore[import-untyped]

    setup(
        name='tfx-reviews',
        version='0.2.0',
        description='A TFX pipeline that classifies reviews, with a quality gate.',
        long_description=pathlib.Path(__file__).with_name('README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        license='Apache-2.0',
        license_files=['LICENSE'],
        python_requires='>=3.10,<3.12',
        packages=find_packages(include=['pipeline*', 'components*', 'data*']),
        py_modules=['pipeline_runner'],
        package_data={
            '': ['*.pbtxt'],
            'data': ['sample/*.csv', 'sample/*.pbtxt'],
            'pipeline.report': ['templates/*'],
        },
        install_requires=INSTALL_REQUIRES,
        extras_require={
            'dev': DEV_REQUIRES,
            'bench': BENCH_REQUIRES,
            'kubeflow': KUBEFLOW_REQUIRES,
            'vertex': VERTEX_REQUIRES,
        },
    )
