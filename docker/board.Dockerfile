# atlas-hpe and CANN's run-time (nnrt) for aarch64: Atlas 200 DK, or a host with Ascend 310 cards.
# Built on a laptop, since a board has no internet:
#
#   docker/fill-wheelhouse.sh 3.8
#   docker build --platform linux/arm64 --file docker/board.Dockerfile --tag atlas-hpe-board docker
#   docker save atlas-hpe-board | ssh HwHiAiUser@192.168.1.2 docker load
#
# The guides of CANN 5.0 use Python 3.7: docker/fill-wheelhouse.sh 3.7, and
# --build-arg BASE=ubuntu:18.04 --build-arg PYTHON=python3.7

ARG BASE=ubuntu:20.04

FROM ${BASE} AS system
ARG PYTHON=python3.8
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        libnss-wrapper pciutils "${PYTHON}" \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s "/usr/bin/${PYTHON}" /usr/local/bin/python3
# The group that owns the device nodes on a board; the numbers have to be the host's.
RUN groupadd --gid 1000 HwHiAiUser \
    && useradd --uid 1000 --gid 1000 --create-home --shell /usr/sbin/nologin HwHiAiUser

FROM system AS installer
ARG CANN_VERSION=6.0.0.alpha003
ARG CANN_NNRT_RUN=Ascend-cann-nnrt_${CANN_VERSION}_linux-aarch64.run
ARG CANN_SHA256=""
ARG CANN_FLAGS="--chip=Ascend310"
# With the stars a file that is missing is reported by the script, which says what to do.
COPY packages/README.md packages/${CANN_NNRT_RUN}* packages/*.info /packages/
COPY --chmod=755 install-cann.sh /usr/local/bin/install-cann
# hadolint ignore=SC2086
RUN install-cann "/packages/${CANN_NNRT_RUN}" "${CANN_SHA256}" ${CANN_FLAGS}

FROM system AS program
COPY wheelhouse/ /wheelhouse/
COPY --chmod=755 install-wheels.sh /usr/local/bin/install-wheels
RUN install-wheels /wheelhouse /opt/atlas-hpe

FROM system AS board
ARG CANN_VERSION=6.0.0.alpha003
LABEL org.opencontainers.image.title="atlas-hpe for Ascend 310" \
      org.opencontainers.image.version="${CANN_VERSION}" \
      org.opencontainers.image.description="Made by its user from a CANN package; not to be passed on"
COPY --from=installer /usr/local/Ascend /usr/local/Ascend
COPY --from=installer /etc/Ascend /etc/Ascend
COPY --from=program /opt/atlas-hpe /opt/atlas-hpe
COPY --chmod=755 cann-env.sh /usr/local/bin/cann-env
# The driver's folders are mounted from the host, see compose.yaml.
ENV CANN_SET_ENV=/usr/local/Ascend/nnrt/set_env.sh \
    LD_LIBRARY_PATH=/usr/local/Ascend/driver/lib64:/usr/local/Ascend/driver/lib64/common:/usr/local/Ascend/driver/lib64/driver \
    PATH=/opt/atlas-hpe/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["cann-env"]
CMD ["atlas-hpe", "doctor"]
