"""The package and its direct dependencies.

docs/installing.md describes the purpose of each. requirements/ has the exact versions.
"""

# TFX 1.21 loads only where glibc is 2.39 or newer, and on Apple silicon. TFX 1.16 is
# the last version that loads elsewhere, and Python 3.10 is the last that it supports.
# The version of Python therefore selects the stack.
INSTALL_REQUIRES = [
    'tfx==1.16.0; python_version < "3.11"',
    'tfx==1.21.0; python_version >= "3.11"',
    # The Beam that TFX 1.16 was tested with. Newer versions do not install dill, which
    # tfx-bsl 1.16.1 imports without declaring it.
    'apache-beam==2.59.0; python_version < "3.11"',
    # These come with TFX, whose requirements decide their versions. This code imports them.
    'tensorflow',
    'keras',
    'tensorflow-transform',
    'tensorflow-model-analysis',
    'tensorflow-data-validation',
    'tensorflow-metadata',
    'tfx-bsl',
    'ml-metadata',
    'numpy',
    'scipy',
    'scikit-learn',
    'threadpoolctl',
    'pyarrow',
    'protobuf',
    # The checksums of TFRecord files.
    'google-crc32c',
    # Learning curves. TensorFlow 2.21 no longer installs it.
    'tensorboard',
    'click>=8.1',
    'rich>=13',
    'pydantic>=2.7',
    'pyyaml>=6',
    'filelock>=3.20',
    'PyMySQL>=1.1',
    'pooch>=1.8',
    # The errors that pooch and the Google Cloud client raise.
    'requests>=2.31',
    'jinja2>=3.1',
    'markupsafe>=2.1',
    'vl-convert-python>=1.7',
]

DEV_REQUIRES = [
    'pytest',
    'pytest-timeout',
    'pytest-xdist',
    'pytest-randomly',
    'hypothesis',
    'ruff',
    'mypy',
    'import-linter',
    'types-PyYAML',
    # Reports are tested in Debian's Chromium, also for accessibility.
    'playwright',
    'axe-playwright-python',
    # Reduces the size of the README's picture of a report.
    'pillow',
]

BENCH_REQUIRES = [
    'scikit-learn',
    # fastText itself is no longer maintained and has no wheels; this
    # package has the same code, built for the numpy of both stacks.
    'fasttext-community',
    # TFX installs the user code of its own example with it, at run time.
    'pip',
    'matplotlib',
]

KUBEFLOW_REQUIRES = [
    # Version 2.5 is the last that supports protobuf 3, which TFX 1.16 requires.
    'kfp==2.5.0; python_version < "3.11"',
    'kfp==2.16.1; python_version >= "3.11"',
]

VERTEX_REQUIRES = [
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
        license='Apache-2.0',
        license_files=['LICENSE'],
        python_requires='>=3.10,<3.12',
        packages=find_packages(include=['pipeline*', 'components*', 'data*']),
        py_modules=['pipeline_runner'],
        package_data={
            '': ['*.pbtxt'],
            'data': ['sample/*.csv', 'sample/*.pbtxt'],
            'components.beam_worker': ['*.sh'],
            'components.pusher': ['*.jinja'],
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
