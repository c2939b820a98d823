"""The yardstick: plain Flask that says hello, under the same gunicorn as the host."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, str]:
    """Say hello."""
    return {"hello": "world"}
