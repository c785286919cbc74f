# The image of Cluster Audit: an interpreter, the locked packages, and nothing else: no shell, no compiler,
# no pip, no package manager. It runs as 65532 on a read-only root, with /tmp as the only place to write.
#
# PYTHON is the base of the build; only its interpreter and the libraries that it needs are taken over. The
# digest names python:3.11-slim-bookworm (3.11.16) for every architecture. Any Debian with `python3`, `venv` and
# `ca-certificates` will do: `make image` makes one where no image registry is reachable.
# The secrets pip.conf and ca.crt are for a package index behind a proxy; they leave no trace in a layer.
ARG PYTHON=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON} AS build
WORKDIR /build
COPY requirements/build.txt requirements/run.txt ./
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca.crt,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv tools && python3 -m venv --without-pip /opt/cluster-audit && \
    tools/bin/pip install --quiet --no-cache-dir --only-binary :all: --require-hashes --requirement build.txt && \
    tools/bin/pip --python /opt/cluster-audit/bin/python install --quiet --no-cache-dir --no-compile \
      --only-binary :all: --require-hashes --requirement run.txt
COPY pyproject.toml README.md LICENSE source/
COPY operator source/operator
RUN tools/bin/pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir dist ./source && \
    tools/bin/pip --python /opt/cluster-audit/bin/python install --quiet --no-deps --no-index --no-compile dist/*.whl
COPY dev/image/root.py ./
# Bytecode holds sets in the order of their hashes, files hold times: both are fixed, so that two builds are one image.
ARG SOURCE_DATE_EPOCH=0
RUN PYTHONHASHSEED=0 python3 root.py /opt/cluster-audit /image

FROM scratch
COPY --from=build /image /
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cluster-audit" \
      org.opencontainers.image.description="Asks of a Kubernetes cluster what its next incident is, and why" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/cluster-audit/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["cluster-audit"]
CMD ["run"]
