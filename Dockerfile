# What each step of a compiled pipeline runs in: the locked packages and this project's code.
# Build it with `make image`.

FROM python:3.11-slim-trixie AS packages
# Where an engine keeps this stage, as an image without a name, it is found by this.
LABEL reviews.stage=packages
# Some packages come as source only; the compiler stays in this stage.
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
# uv trusts what this machine trusts, a company's proxy for instance, as pip does.
ENV UV_SYSTEM_CERTS=1
# Byte code is made here, because a step may not write beside the packages: without it each
# step takes a quarter of a minute longer to start.
RUN uv/bin/uv venv --quiet --no-project --python /usr/local/bin/python /opt/venv \
    && uv/bin/uv pip install --no-cache --python /opt/venv/bin/python --require-hashes --no-deps \
        --compile-bytecode --build-constraints requirements/build.txt \
        --excludes requirements/not-in-image.in \
        --requirements requirements/tfx-1.21.txt --requirements requirements/tfx-1.21-cloud.txt \
    && cd /opt/venv/lib/python3.11/site-packages \
    # Half a gigabyte that no step opens: headers, examples, tests and their data.
    && rm -r tensorflow/include pyarrow/include pyarrow/src tfx/components/testdata tfx/examples \
        jedi/third_party \
    && find numpy pandas pyarrow scipy sklearn -type d -name tests -prune -exec rm -r {} + \
    # And nearly another of names that only a debugger reads. What is in *.libs was made to fit
    # its neighbours, in a way that strip breaks.
    && find . -regex '.*[.]so[.0-9]*' -type f -not -path './*.libs/*' \
        -exec strip --strip-unneeded {} +

FROM python:3.11-slim-trixie
# libgomp1: the threads of scikit-learn, which the model analysis imports.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --user-group --create-home reviews
COPY --from=packages /opt/venv /opt/venv
COPY pipeline_runner.py /opt/reviews/
COPY components /opt/reviews/components
COPY pipeline /opt/reviews/pipeline
# A path file and not PYTHONPATH, so that a step that sets that one does not lose the code.
RUN echo /opt/reviews > /opt/venv/lib/python3.11/site-packages/reviews.pth \
    && /opt/venv/bin/python -m compileall -q /opt/reviews
ENV PATH=/opt/venv/bin:$PATH
USER 1000
WORKDIR /home/reviews
# No entry point: Kubeflow Pipelines and Vertex AI set each step's command.
