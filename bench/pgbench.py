"""The limit: the statement of a bid through pgbench, without Python and HTTP."""

import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg2

from bench.load import CONNECTIONS
from bench.market import Market
from torg.embedded_home import installed_binaries

# The clock in microseconds rises with every call, so nearly every bid is high enough.
_SCRIPT = """
\\set bidder random(1, {count})
SELECT * FROM auction_place_bid({auction}, (ARRAY{bidders})[:bidder],
  {start} + (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - {now},
  NULL, 'EUR', NULL, NULL);
"""


def bids_per_second(market: Market, seconds: int, start: int) -> float:
    """Accepted bids a second on the hot auction, from as many connections as the HTTP load."""
    before = _bids(market)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "bid.sql"
        script.write_text(_script(market, start), "utf-8")
        binaries = installed_binaries(valkey=False)
        program = binaries.postgresql[binaries.newest()] / "pgbench"
        took = subprocess.run(
            [program, "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1",
             "-T", str(seconds), "-f", str(script), *connection_arguments(market.database_url)],
            capture_output=True, text=True, check=True,
            env={"PGPASSWORD": password(market.database_url)},
        )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", took.stdout)
    if found is None:
        raise RuntimeError(took.stdout)
    return (_bids(market) - before) / seconds


def _script(market: Market, start: int) -> str:
    with psycopg2.connect(market.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        row = cursor.fetchone()
    return _SCRIPT.format(
        count=len(market.bidders),
        bidders=list(market.bidders),
        auction=market.hot,
        start=start,
        now=row[0] if row else 0,
    )


def _bids(market: Market) -> int:
    with psycopg2.connect(market.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auction_bid WHERE auction_id = %s", (market.hot,))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def connection_arguments(url: str) -> list[str]:
    """How PostgreSQL's programs are told where a database is."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = query.get("host", [parts.hostname or "127.0.0.1"])[0]
    port = query.get("port", [str(parts.port or 5432)])[0]
    return ["-h", host, "-p", port, "-U", parts.username or "postgres", parts.path.strip("/")]


def password(url: str) -> str:
    """The password in a database URL."""
    return urlsplit(url).password or ""
