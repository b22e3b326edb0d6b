# syntax=docker/dockerfile:1.10
# Training, and `sake engine`: vLLM that takes a new checkpoint while it runs. Whoever only serves can
# take vLLM's own image instead (compose.yaml does).
#   docker build -f deploy/images/model.Dockerfile --build-arg VARIANT=gpu -t sake-model:gpu .
#   docker build -f deploy/images/model.Dockerfile --build-arg VARIANT=cpu --secret id=pip,src=pip.conf -t sake-model:cpu .
# For cpu, pip.conf names the index with PyTorch's CPU builds as extra-index-url (see README).

ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS packages
ARG VARIANT=gpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/* \
 && python -m venv /opt/sake
COPY deploy/locks/model-${VARIANT}.txt deploy/cpu_wheels.py deploy/
# --no-deps: the lock is complete, and the companions of CPU torch come from the local wheels.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf,required=false \
    /opt/sake/bin/pip install --require-hashes --no-deps -r deploy/model-${VARIANT}.txt \
 && if [ "${VARIANT}" = cpu ]; then \
      python deploy/cpu_wheels.py /wheels && /opt/sake/bin/pip install --no-deps --no-index /wheels/*.whl; \
    fi
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY schemas schemas
COPY sake_model sake_model
COPY workers workers
COPY training training
RUN /opt/sake/bin/pip install --no-deps .

FROM ${PYTHON}
# Triton compiles its launchers with the system's compiler; OpenMP and Cairo are loaded at run time.
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev libcairo2 libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 --user-group sake \
 && install -d -o sake -g sake /var/lib/sake
COPY --from=packages /opt/sake /opt/sake
ENV PATH=/opt/sake/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SAKE_HOME=/var/lib/sake \
    SAKE_ENGINE_ENVIRONMENT=/opt/sake \
    SAKE_ENGINE_LISTEN_HOST=0.0.0.0 \
    SAKE_ENGINE_LISTEN_PORT=8000 \
    SAKE_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/sake
VOLUME /var/lib/sake
EXPOSE 8000
ENTRYPOINT ["sake"]
CMD ["engine"]
