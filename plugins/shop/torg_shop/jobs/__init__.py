"""Background work of the shop, by subject."""

from torg.jobs import Job
from torg.schedules import Schedule
from torg_shop.jobs import catalogue

JOBS: tuple[Job, ...] = catalogue.JOBS
SCHEDULES: tuple[Schedule, ...] = ()
