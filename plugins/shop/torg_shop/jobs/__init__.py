"""Background work of the shop, by subject."""

from torg.jobs import Job
from torg.schedules import Schedule
from torg_shop.jobs import catalogue, trading

JOBS: tuple[Job, ...] = (*catalogue.JOBS, *trading.JOBS)
SCHEDULES: tuple[Schedule, ...] = (*catalogue.SCHEDULES, *trading.SCHEDULES)
