# Export, check, parity and pipeline on a CPU (target laptop), and the tests (target ci):
#
#   docker build --file docker/laptop.Dockerfile --target laptop --tag atlas-hpe-laptop .
#   docker build --file docker/laptop.Dockerfile --target ci --tag atlas-hpe-ci .
#
# PyTorch's plain wheels for Linux on x86_64 bring gigabytes of CUDA. Its installation page names an
# index of CPU wheels: --build-arg PIP_EXTRA_INDEX_URL=... --build-arg TORCH=torch==2.13.0+cpu

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS wheels
ARG TORCH=torch==2.13.0
ARG PIP_EXTRA_INDEX_URL=""
COPY . /source
# All that `make lint` and `make test` install; an editable install of the sources needs editables.
RUN python3 -m pip wheel --no-cache-dir --wheel-dir /wheels \
        "pip>=21.3" "editables~=0.3" "${TORCH}" "/source[dev]"

FROM wheels AS program
RUN python3 -m venv /opt/atlas-hpe \
    && /opt/atlas-hpe/bin/pip install --no-cache-dir --no-index --find-links /wheels 'atlas-hpe[host,export]'

FROM ${BASE} AS ci
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
COPY --from=wheels /wheels /wheels
# pip takes the wheels of the image and asks no index: the tests need no network.
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels HOME=/tmp USER=developer
USER 1000:1000
WORKDIR /work
CMD [".ci/run"]

FROM ${BASE} AS laptop
LABEL org.opencontainers.image.title="atlas-hpe on a laptop" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=program /opt/atlas-hpe /opt/atlas-hpe
# A home for users that the image does not know.
ENV PATH=/opt/atlas-hpe/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp USER=developer
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["atlas-hpe"]
CMD ["--help"]
