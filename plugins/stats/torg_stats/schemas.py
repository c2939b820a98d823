"""The shapes of statistics: words of a question, the catalogue, answers, reports."""

from typing import Any

from torg.schemas import (
    Boolean,
    Date,
    Enum,
    Id,
    Integer,
    List,
    Nested,
    QuerySchema,
    Schema,
    Text,
    Timestamp,
)
from torg_metrics import Unit
from torg_stats.domain.periods import Interval
from torg_stats.domain.reports import SCHEDULES

FORMATS = ("json", "csv", "xlsx", "svg", "png")
INTERVALS = tuple(each.value for each in Interval)
MOST_ROWS = 100_000
_UNITS = tuple(each.value for each in Unit)
_NAME: dict[str, Any] = {"maximum": 100, "pattern": r"[a-z][a-z0-9_.]*"}
_CURRENCY: dict[str, Any] = {"maximum": 3, "pattern": "[A-Z]{3}", "example": "EUR"}
_TITLE: dict[str, Any] = {"maximum": 200, "example": "Revenue"}
_NUMBER: dict[str, Any] = {"maximum": 60, "allow_none": True, "example": "1250.00"}


class Words(Schema):
    """The words of a question, wherever it is written."""

    metric = List(
        Text(**_NAME, example="autotrade.revenue"),
        minimum=1,
        maximum=10,
        unique=True,
        required=True,
        description="What to count.",
    )
    by = List(
        Text(**_NAME, example="dealer"),
        maximum=2,
        load_default=list,
        description="What to break it down by.",
    )
    interval = Enum(
        INTERVALS,
        allow_none=True,
        load_default=None,
        description="Length of a bucket; without it only totals.",
    )
    tz = Text(
        maximum=64,
        load_default="UTC",
        example="Europe/Berlin",
        description="IANA zone whose midnight parts the days.",
    )
    filter = List(
        Text(maximum=300, example="dealer:17"),
        maximum=10,
        load_default=list,
        description="`dimension:value`; several of one dimension mean any of them.",
    )
    currency = Text(
        **_CURRENCY, allow_none=True, load_default=None, description="Only money in it."
    )
    convert_to = Text(
        **_CURRENCY,
        allow_none=True,
        load_default=None,
        description="Convert all money, at the rates that the deployment states.",
    )
    seen_as = Text(
        **_NAME,
        allow_none=True,
        load_default=None,
        example="buyer",
        description="Without the right to see all: by which dimension your own are meant.",
    )
    limit = Integer(
        minimum=1,
        maximum=1000,
        load_default=100,
        description="Most groups of a metric.",
        example=100,
    )


class _Days(Schema):
    """Whole days, the last not included."""

    from_ = Date(data_key="from", load_default=None, description="First day; 30 before `to`.")
    to = Date(load_default=None, description="The day after the last; by default tomorrow.")


class QuestionQuery(QuerySchema, Words, _Days):
    """A question in a query string."""

    format = Enum(FORMATS, load_default="json", description="How the answer is written.")


class FormatQuery(QuerySchema):
    """How an answer is written."""

    format = Enum(FORMATS, load_default="json")


class LeaderboardQuery(QuerySchema, _Days):
    """What a leaderboard is about."""

    metric = Text(**_NAME, required=True, example="autotrade.revenue")
    by = Text(**_NAME, required=True, example="dealer")
    tz = Text(maximum=64, load_default="UTC", example="Europe/Berlin")
    currency = Text(**_CURRENCY, allow_none=True, load_default=None)
    limit = Integer(minimum=1, maximum=100, load_default=10, example=10)


class OwnQuery(QuerySchema):
    """Which zone's days one's own page is about."""

    tz = Text(maximum=64, load_default="UTC", example="Europe/Berlin")


class Dimension(Schema):
    """What a metric can be broken down by."""

    name = Text(**_NAME, example="dealer")
    title = Text(maximum=200, example="Dealer")
    is_own = Boolean(description="Whether people see their own by it.")


class MetricShape(Schema):
    """Something that can be counted."""

    name = Text(**_NAME, example="autotrade.revenue")
    title = Text(**_TITLE)
    unit = Enum(_UNITS)
    formula = Text(maximum=500, example="revenue = sum of the prices of sold cars")
    dimensions = List(Nested(Dimension), maximum=50)
    sees = Enum(("all", "own", "nothing"), description="What of it you may see.")


class Catalogue(Schema):
    """Everything that can be counted now."""

    items = List(Nested(MetricShape), maximum=1000)
    zones = List(
        Text(maximum=64, example="UTC"),
        maximum=10,
        description="Zones whose sums are kept by day; others are added up when asked for.",
    )


class GroupValue(Schema):
    """The value of a dimension, and how people call it."""

    dimension = Text(**_NAME, example="dealer")
    value = Text(maximum=500, allow_none=True, example="17")
    name = Text(maximum=500, example="Anna's cars")


class Point(Schema):
    """The number of one bucket."""

    bucket = Date(description="Its first day.")
    value = Text(**_NUMBER)


class Series(Schema):
    """One metric of one group in one currency."""

    metric = Text(**_NAME, example="autotrade.revenue")
    title = Text(**_TITLE)
    unit = Enum(_UNITS, description="`money` is in whole units of the currency.")
    currency = Text(**_CURRENCY, allow_none=True)
    group = List(Nested(GroupValue), maximum=2)
    total = Text(**_NUMBER, description="Of the whole period; null where nothing can be divided.")
    points = List(Nested(Point), maximum=1000)


class Rate(Schema):
    """A rate that money was converted by."""

    pair = Text(maximum=7, example="USD/EUR")
    rate = Text(maximum=60, example="0.92")


class Answer(Schema):
    """Numbers of a question."""

    from_ = Date(data_key="from")
    to = Date()
    tz = Text(maximum=64, example="Europe/Berlin")
    interval = Enum(INTERVALS, allow_none=True)
    series = List(Nested(Series), maximum=MOST_ROWS)
    left_out = Integer(minimum=0, description="Groups beyond `limit`, the smallest.", example=0)
    rates = List(Nested(Rate), maximum=100)


class Rank(Schema):
    """A place on a leaderboard; equals share it."""

    rank = Integer(minimum=1, example=1)
    value = Text(maximum=500, allow_none=True, example="17")
    name = Text(maximum=500, example="Anna's cars")
    currency = Text(**_CURRENCY, allow_none=True)
    total = Text(**_NUMBER)


class Leaderboard(Schema):
    """Who has most of something; each currency has places of its own."""

    metric = Text(**_NAME, example="autotrade.revenue")
    title = Text(**_TITLE)
    unit = Enum(_UNITS)
    by = Text(**_NAME, example="dealer")
    from_ = Date(data_key="from")
    to = Date()
    items = List(Nested(Rank), maximum=10_000)


class OwnFigure(Schema):
    """One of your numbers: the last 30 days, and the 30 before."""

    metric = Text(**_NAME, example="autotrade.revenue")
    title = Text(**_TITLE)
    unit = Enum(_UNITS)
    seen_as = Text(**_NAME, example="dealer")
    currency = Text(**_CURRENCY, allow_none=True)
    total = Text(**_NUMBER)
    before = Text(**_NUMBER)


class OwnPage(Schema):
    """Your own statistics: what you are in the market, and its numbers."""

    from_ = Date(data_key="from")
    to = Date()
    items = List(Nested(OwnFigure), maximum=10_000)
    broken = List(
        Text(**_NAME, example="autotrade.revenue"),
        maximum=1000,
        description="Metrics that cannot be counted now.",
    )


class KeptQuestion(Words):
    """A question that is asked again and again, about the days before."""

    days = Integer(minimum=1, maximum=3660, load_default=30, example=30)


class CreateReport(Schema):
    """A report to keep."""

    name = Text(maximum=100, strip=True, required=True, example="Revenue by dealer")
    question = Nested(KeptQuestion, required=True)
    schedule = Enum(
        SCHEDULES,
        load_default="none",
        description="When it is sent by mail: at the first hour of a day, Monday or month there.",
    )


class ChangeReport(Schema):
    """What is to change; the rest stays."""

    name = Text(maximum=100, strip=True, example="Revenue by dealer")
    question = Nested(KeptQuestion)
    schedule = Enum(SCHEDULES)


class Report(Schema):
    """A kept report."""

    id = Id()
    name = Text(maximum=100, example="Revenue by dealer")
    question = Nested(KeptQuestion)
    schedule = Enum(SCHEDULES)
    due_at = Timestamp(allow_none=True, description="When it is sent next.")
    is_active = Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()
