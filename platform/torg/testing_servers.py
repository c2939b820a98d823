"""The test kit's servers: real PostgreSQL and Valkey, and a fresh database for every test.

Owns starting them (once a test session) and making databases out of migrated templates. Fixtures
are in `torg.testing`.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2 import sql

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a folder of a name of our own is made in it
_ROOM_BYTES = 2 * 1024**3


@dataclass
class Environment:
    """The real servers that a test session works on.

    Attributes:
        admin_url: `postgresql://…` of a role that may create databases.
        redis_url: address of the Valkey or Redis server; every test starts with it empty.
        directory: a temporary folder of the session.
    """

    admin_url: str
    redis_url: str
    directory: Path
    _stop: Callable[[], object] = lambda: None
    _templates: set[str] = field(default_factory=set)

    def template(self, plugins: Iterable[str], migrate: Callable[[str], object]) -> str:
        """The name of a database in which `migrate(url)` has been run once for these plugins."""
        digest = hashlib.sha256(" ".join(sorted(plugins)).encode()).hexdigest()[:12]
        name = f"torg_template_{os.getpid()}_{digest}"
        if name not in self._templates:
            self.create(name)
            migrate(self.url(name))
            self._templates.add(name)
        return name

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database anew, dropping one of the same name; returns its address."""
        self.drop(name)
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
                sql.Identifier(name),
                sql.Identifier(template),
                sql.SQL("FILE_COPY" if template != "template0" else "WAL_LOG"),
            )
        )
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop a database, ending whoever is connected."""
        self._execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def url(self, name: str) -> str:
        """The address of a database of this server."""
        head, _, query = self.admin_url.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")

    def stop(self) -> None:
        """Stop the servers and remove their folder."""
        self._stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _execute(self, statement: sql.Composable) -> None:
        connection = psycopg2.connect(self.admin_url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


def start() -> Environment:
    """Start embedded servers, or use those of TORG_TEST_DATABASE_URL and TORG_TEST_REDIS_URL."""
    directory = Path(tempfile.mkdtemp(prefix="torg-", dir=_memory()))
    # Embedded servers of a root user run under another one, who must be able to get there.
    directory.chmod(0o755)
    admin_url = os.environ.get("TORG_TEST_DATABASE_URL")
    redis_url = os.environ.get("TORG_TEST_REDIS_URL")
    if admin_url and redis_url:
        return Environment(admin_url, redis_url, directory)
    from torg import embedded

    servers = embedded.start(directory, fast=True)
    return Environment(servers.admin_url, servers.redis_url, directory, servers.stop)


def _memory() -> str | None:
    """A folder in memory with room to spare, for a database is copied there fifteen times faster.

    `TMPDIR` overrules it.
    """
    if "TMPDIR" in os.environ or not os.access(_SHARED_MEMORY, os.W_OK | os.X_OK):
        return None
    return _SHARED_MEMORY if shutil.disk_usage(_SHARED_MEMORY).free > _ROOM_BYTES else None
