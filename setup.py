"""The package and its direct dependencies; the exact versions are in requirements/."""

from __future__ import annotations

# TFX 1.21 loads only where glibc is 2.39 or newer, and on Apple silicon; 1.16 is
# the last that loads elsewhere, and it ends at Python 3.10. The version of
# Python therefore stands for the stack.
INSTALL_REQUIRES = [
    # Orchestration: the nodes, the local runner and the compiler for clusters.
    'tfx==1.16.0; python_version < "3.11"',
    'tfx==1.21.0; python_version >= "3.11"',
    # The Beam that TFX 1.16 was tested with. Newer ones lack dill, which
    # tfx-bsl 1.16.1 imports without declaring it.
    'apache-beam==2.59.0; python_version < "3.11"',
    # Imported by this code itself, not only by TFX: the model and its serving
    # signatures, the preprocessing, and the gate.
    'tensorflow',
    'tensorflow-transform',
    'tensorflow-model-analysis',
    # Writes how training went. TensorFlow 2.21 no longer brings it along.
    'tensorboard',
    # Sparse matrices of texts and n-grams, for the linear model. Comes with TFMA.
    'scipy',
    # Counts the words of columns of texts. Comes with Beam and TFDV, which read such columns.
    'pyarrow',
    # The command line.
    'click>=8.1',
    # Tables and progress in a terminal.
    'rich>=13',
    # Checks the settings, and names the one that is wrong.
    'pydantic>=2.7',
    # Config files.
    'pyyaml>=6',
    # The locks of runs and of the folder of pushed versions.
    'filelock>=3.20',
    # Asks a MySQL server for its version, schema and errors, which ML Metadata's own
    # client does not report.
    'PyMySQL>=1.1',
    # Downloads the IMDB reviews, and checks their checksum.
    'pooch>=1.8',
    # Its errors are those of pooch and of Google's client.
    'requests>=2.31',
    # The page of a report; what comes from the data is escaped.
    'jinja2>=3.1',
    'markupsafe>=2.1',
    # Draws its charts: Vega-Lite to SVG, in the process and without a network, so
    # that the page itself needs no script.
    'vl-convert-python>=1.7',
]

DEV_REQUIRES = [
    'pytest',
    # A pipeline that hangs must fail its test, not the whole run.
    'pytest-timeout',
    # Most tests wait for one core: two at a time take little more than half as long.
    'pytest-xdist',
    # Text functions are tested with text that nobody thought of.
    'hypothesis',
    'ruff',
    'mypy',
    # Holds the direction of imports to the contract.
    'import-linter',
    'types-PyYAML',
    # Drives Debian's Chromium, in which reports are tested; and axe, which looks
    # for what keeps people from reading them.
    'playwright',
    'axe-playwright-python',
    # Makes the README's picture of a report small.
    'pillow',
]

BENCH_REQUIRES = [
    # Two of the peers: TF-IDF with logistic regression, and NB-SVM.
    'scikit-learn',
    # Another peer. fastText itself is no longer maintained and has no wheels; this
    # is the same code, built for both stacks' numpy.
    'fasttext-community',
    # TFX's own example has TFX install its user code with it, at run time.
    'pip',
    # Draws how time and memory grow.
    'matplotlib',
]

KUBEFLOW_REQUIRES = [
    # The client, and the specification that TFX compiles to. 2.5 is the last for
    # protobuf 3, which TFX 1.16 has.
    'kfp==2.5.0; python_version < "3.11"',
    'kfp==2.16.1; python_version >= "3.11"',
]

VERTEX_REQUIRES = [
    # The client. TFX brings it for a component that is not used here, so it is named.
    'google-cloud-aiplatform>=1.165,<2',
    # The specification alone, without the client of Kubeflow Pipelines.
    'kfp-pipeline-spec==0.2.2; python_version < "3.11"',
    'kfp-pipeline-spec>=2.16,<3; python_version >= "3.11"',
]

# Tools read the lists above by running this file, also where there is no setuptools.
if __name__ == '__main__':
    from setuptools import find_packages, setup  # type: ignore[import-untyped]

    setup(
        name='tfx-reviews',
        version='0.1.0',
        description='A TFX pipeline that classifies reviews, with a quality gate.',
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
