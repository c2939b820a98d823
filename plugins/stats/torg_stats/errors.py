"""What statistics refuse. Each class docstring is the page behind `type`."""

from torg.errors import ConflictError, ForbiddenError, InvalidError, UnavailableError


class QuestionRefusedError(InvalidError):
    """A word of the question names nothing that can be answered.

    `errors` points at it and lists what is allowed: metrics and dimensions depend on the plugins
    that are switched on, see `GET /api/v1/stats/metrics`.
    """

    code = "question_refused"
    title = "No such statistics"
    detail = "The question names something that cannot be answered."


class NotYourFiguresError(ForbiddenError):
    """These figures are seen with a permission, or by those whose own data they are about."""

    code = "not_your_figures"
    title = "Not your figures"
    detail = "{metric} is shown with the permission {permission}, or to those it is about."
    public = ("metric", "permission")


class QuestionTooLargeError(UnavailableError):
    """Answering took longer than the server allows one question.

    Ask for fewer days, in a zone whose sums are kept (`GET /api/v1/stats/metrics` names them), or
    by fewer dimensions.
    """

    code = "question_too_large"
    title = "This takes too long"
    detail = "The question could not be answered within {seconds} seconds."
    public = ("seconds",)


class MetricBrokenError(UnavailableError):
    """The plugin of this metric does not bring its facts; other metrics are answered meanwhile.

    The log of the server says why, under `facts_broken`.
    """

    code = "metric_broken"
    title = "This cannot be counted now"
    detail = "{metric} cannot be counted now; everything else can."
    public = ("metric",)


class ReportsFullError(ConflictError):
    """One person keeps a limited number of reports: delete one that is no longer needed."""

    code = "reports_full"
    title = "Too many reports"
    detail = "At most {most} reports can be kept."
    public = ("most",)
