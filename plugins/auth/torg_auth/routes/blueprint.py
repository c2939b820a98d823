"""The blueprint that the modules of this folder hang their routes on."""

from torg.http import Blueprint

blueprint = Blueprint("auth", description="Accounts, sessions, profiles, roles and permissions")
