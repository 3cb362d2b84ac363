# The image for the steps of a compiled pipeline: the locked packages and this project's code.
# `make image` builds it.

FROM python:3.11-slim-trixie AS packages
# Some packages have no wheel. The compiler stays in this stage.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/uv.txt requirements/
RUN python -m venv uv \
    && uv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes \
        --only-binary :all: -r requirements/uv.txt
COPY requirements/build.txt requirements/tfx-1.21.txt requirements/tfx-1.21-cloud.txt \
    requirements/not-in-image.in requirements/
# uv trusts the certificates of the system, as pip does, for example those of a proxy.
ENV UV_SYSTEM_CERTS=1
# Compiles to byte code here, because the user of a step cannot write to this folder. Without
# byte code, each step takes 15 seconds longer to start.
RUN uv/bin/uv venv --quiet --no-project --python /usr/local/bin/python /opt/venv \
    && uv/bin/uv pip install --no-cache --python /opt/venv/bin/python --require-hashes --no-deps \
        --compile-bytecode --build-constraints requirements/build.txt \
        --excludes requirements/not-in-image.in \
        --requirements requirements/tfx-1.21.txt --requirements requirements/tfx-1.21-cloud.txt \
    && cd /opt/venv/lib/python3.11/site-packages \
    # Removes half a gigabyte that no step reads: headers, tests and their data.
    && rm -r tensorflow/include pyarrow/include pyarrow/src tfx/components/testdata jedi/third_party \
    && find numpy pandas pyarrow scipy sklearn -type d -name tests -prune -exec rm -r {} + \
    # Strips another half of symbols that only a debugger reads. strip would break *.libs.
    && find . -regex '.*[.]so[.0-9]*' -type f -not -path './*.libs/*' \
        -exec strip --strip-unneeded {} +

FROM python:3.11-slim-trixie
# scikit-learn needs libgomp1.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --user-group --create-home reviews
COPY --from=packages /opt/venv /opt/venv
COPY pipeline_runner.py /opt/reviews/
COPY components /opt/reviews/components
COPY pipeline /opt/reviews/pipeline
# A path file, because a step may set PYTHONPATH.
RUN echo /opt/reviews > /opt/venv/lib/python3.11/site-packages/reviews.pth \
    && /opt/venv/bin/python -m compileall -q /opt/reviews
ENV PATH=/opt/venv/bin:$PATH
USER 1000
WORKDIR /home/reviews
# No entry point: Kubeflow Pipelines and Vertex AI set the command of each step.
