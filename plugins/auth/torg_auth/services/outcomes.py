"""Transactions whose refusals leave traces: a counted try, an ended session, a recorded event.

A raised error undoes its unit of work, which is right for almost everything. Where the refusal
itself must be remembered, the service returns the error, the unit commits, and then it is raised.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from torg.db import in_transaction
from torg.errors import TorgError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def leaving_traces(
    service: Callable[Arguments, Result | TorgError],
) -> Callable[Arguments, Result]:
    """Run the service in a transaction of its own and raise the error it returns afterwards.

    The transaction shares nothing with one that may be open around it; routes that call such a
    service are declared `transaction("statement")`, so none is.
    """

    @wraps(service)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        outcome = in_transaction(lambda: service(*args, **kwargs))
        if isinstance(outcome, TorgError):
            raise outcome
        return outcome

    return run
