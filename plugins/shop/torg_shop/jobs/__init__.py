"""Background work of the shop, by subject."""

from torg.jobs import Job
from torg.schedules import Schedule

JOBS: tuple[Job, ...] = ()
SCHEDULES: tuple[Schedule, ...] = ()
