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
    # The command line.
    'click>=8.1',
    # Tables and progress in a terminal.
    'rich>=13',
    # Checks the settings, and names the one that is wrong.
    'pydantic>=2.7',
    # Config files.
    'pyyaml>=6',
    # Fetches data sets.
    'requests>=2.31',
]

DEV_REQUIRES = [
    'pytest',
    # A pipeline that hangs must fail its test, not the whole run.
    'pytest-timeout',
    # Text functions are tested with text that nobody thought of.
    'hypothesis',
    'ruff',
    'mypy',
    # Holds the direction of imports to the contract.
    'import-linter',
    'types-requests',
    'types-PyYAML',
]

CLOUD_REQUIRES = [
    # Compiles for Kubeflow Pipelines and Vertex AI, and sends runs to the former; in the
    # steps' containers, reads what a step is to do. What sends runs to Vertex AI comes with
    # TFX. 2.5 is the last for TFX 1.16's protobuf, 3.20.
    'kfp>=2.5,<2.6; python_version < "3.11"',
    'kfp>=2.16,<2.17; python_version >= "3.11"',
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
        },
        install_requires=INSTALL_REQUIRES,
        extras_require={
            'cloud': CLOUD_REQUIRES,
            'dev': DEV_REQUIRES,
            'bench': BENCH_REQUIRES,
        },
    )
