# syntax=docker/dockerfile:1
# One image for every process of a deployment; the command chooses (docker-compose.yml).

FROM python:3.12-slim-bookworm AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Named one by one, so that a changed test or page makes no wheel anew.
COPY requirements.txt constraints.txt setup.cfg pyproject.toml README.md LICENSE ./
COPY platform platform
COPY migrations migrations
COPY contracts contracts
COPY plugins plugins
# Wheels of our own distributions and of everything they need: the last stage needs no network.
RUN sed -n 's/^-e /.\//p' requirements.txt \
    | xargs pip wheel --constraint constraints.txt --wheel-dir /wheels

# What `docker compose run tests` runs: the whole repository and the programs that its tests ask.
FROM build AS tests
RUN apt-get update \
    && apt-get install --yes --no-install-recommends chromium git make nginx-light procps \
    && rm -rf /var/lib/apt/lists/*
COPY . .
# The servers under test refuse to run as root, and a user must have a name for PostgreSQL.
RUN pip install --constraint constraints.txt --requirement requirements-dev.txt \
    && useradd --uid 10001 --user-group --create-home torg \
    && chown --recursive torg:torg /source
USER 10001:10001
ENTRYPOINT ["pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]

FROM python:3.12-slim-bookworm
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TORG_BIND=0.0.0.0:8000 \
    TORG_DATA_DIR=/var/lib/torg
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-index /wheels/*.whl \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/torg torg \
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
