# syntax=docker/dockerfile:1
# One image for every process of a deployment; the command chooses (docker-compose.yml).

FROM python:3.12-slim-bookworm AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Only what .dockerignore lets in.
COPY . .
# Wheels of our own distributions and of everything they need: the second stage needs no network.
RUN sed -n 's/^-e /.\//p' requirements.txt | xargs pip wheel --wheel-dir /wheels

FROM python:3.12-slim-bookworm
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TORG_BIND=0.0.0.0:8000 \
    TORG_DATA_DIR=/var/lib/torg
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-index /wheels/*.whl \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/torg
WORKDIR /app
COPY deploy/gunicorn.conf.py deploy/gunicorn.conf.py
USER 10001:10001
VOLUME /var/lib/torg
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['TORG_BIND'].rpartition(':')[2] + '/health/live', timeout=2)"]
CMD ["gunicorn", "--config", "deploy/gunicorn.conf.py", "torg.app:create_app()"]
