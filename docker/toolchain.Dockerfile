# atc, the compiler for Ascend chips, on an x86_64 machine without one:
#
#   docker build --file docker/toolchain.Dockerfile --tag atlas-hpe-toolchain docker
#   docker run --rm atlas-hpe-toolchain atc --help
#
# The guides of CANN 5.0 use Python 3.7: --build-arg BASE=ubuntu:18.04 --build-arg PYTHON=python3.7

ARG BASE=ubuntu:20.04

FROM ${BASE} AS system
ARG PYTHON=python3.8
# The list of the installation guides; the toolkit loads libpython, so Python comes from the system.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates cmake g++ gcc gfortran libblas-dev libblas3 libffi-dev libnss-wrapper \
        libopenblas-dev libsqlite3-dev libssl-dev make net-tools openssl pciutils python3-pip \
        unzip zlib1g zlib1g-dev "${PYTHON}" "${PYTHON}-dev" \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s "/usr/bin/${PYTHON}" /usr/local/bin/python3
COPY toolchain-requirements.txt /opt/
# The pip of Ubuntu 18.04 knows no wheels of today; 24.0 is the last for Python 3.7.
RUN python3 -m pip install --no-cache-dir pip==24.0 \
    && python3 -m pip install --no-cache-dir --only-binary :all: --requirement /opt/toolchain-requirements.txt \
    && rm /opt/toolchain-requirements.txt
# The name and number that the installer and the driver of a board expect.
RUN groupadd --gid 1000 HwHiAiUser \
    && useradd --uid 1000 --gid 1000 --create-home --shell /usr/sbin/nologin HwHiAiUser

FROM system AS installer
ARG CANN_VERSION=6.0.0.alpha003
ARG CANN_TOOLKIT_RUN=Ascend-cann-toolkit_${CANN_VERSION}_linux-x86_64.run
ARG CANN_SHA256=""
ARG CANN_FLAGS="--chip=Ascend310 --blacklist=devtools"
# With the star a file that is missing is reported by the script, which says what to do.
COPY packages/README.md packages/${CANN_TOOLKIT_RUN}* /packages/
COPY --chmod=755 install-cann.sh /usr/local/bin/install-cann
# hadolint ignore=SC2086
RUN install-cann "/packages/${CANN_TOOLKIT_RUN}" "${CANN_SHA256}" ${CANN_FLAGS}

FROM system AS toolchain
ARG CANN_VERSION=6.0.0.alpha003
LABEL org.opencontainers.image.title="atc, the compiler for Ascend chips" \
      org.opencontainers.image.version="${CANN_VERSION}" \
      org.opencontainers.image.description="Made by its user from a CANN package; not to be passed on"
COPY --from=installer /usr/local/Ascend /usr/local/Ascend
COPY --from=installer /etc/Ascend /etc/Ascend
COPY --chmod=755 cann-env.sh /usr/local/bin/cann-env
# latest/ has one of these, by release; there is no driver here.
ENV CANN_SET_ENV=/usr/local/Ascend/ascend-toolkit/set_env.sh \
    CANN_STUBS=/usr/local/Ascend/ascend-toolkit/latest/runtime/lib64/stub:/usr/local/Ascend/ascend-toolkit/latest/acllib/lib64/stub:/usr/local/Ascend/ascend-toolkit/latest/x86_64-linux/devlib
# atc has to start for a user that the image does not know, as `atlas-hpe convert --docker` runs it.
USER 54321:54321
RUN help=$(cann-env atc --help 2>&1); \
    case $help in \
        *soc_version*) rm -rf "${TMPDIR:-/tmp}"/tmp.* ;; \
        *) echo "$help" >&2; exit 1 ;; \
    esac
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["cann-env"]
CMD ["atc", "--help"]
