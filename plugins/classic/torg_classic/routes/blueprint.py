"""The one blueprint that all modules of routes hang on; its rules are whole addresses."""

from torg.blueprint import Blueprint

blueprint = Blueprint(
    "classic", at_root=True, description="Fixed addresses and shapes, for clients that know them."
)
ORDER = "classic.order.place"
