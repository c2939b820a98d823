"""gunicorn's settings of a deployment; change one by setting it again below the import.

    gunicorn --config deploy/gunicorn.conf.py "torg.app:create_app()"

`TORG_PROCESS=streams` before it makes it the server of live streams. The settings themselves ship
with the package, so that `torg run` uses the same.
"""

from torg.gunicorn_config import *  # noqa: F403 - gunicorn reads every name of this module
