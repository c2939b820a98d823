"""Signing in by another provider: the way there, the way back, and whose account it is.

Nothing is kept on the server in between: state, nonce and PKCE verifier travel in a signed cookie
of the browser that began, so that only that browser can finish (RFC 9700, 4.7).
"""

import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import func, insert, select, text, update

from torg.db import session
from torg.errors import TorgError
from torg.i18n import LOCALES
from torg.identity import IdentityRow
from torg_auth.domain.access import USER
from torg_auth.domain.providers import Person, username_stem
from torg_auth.errors import (
    EmailTakenError,
    ProviderEmailUnverifiedError,
    SocialRefusedError,
    SocialStateError,
    UsernameTakenError,
)
from torg_auth.models import OneTimeCode, SecurityEventKind, User
from torg_auth.models_personal import ExternalIdentity
from torg_auth.services import access, devices, providers
from torg_auth.services.accounts import NewAccount, add_user
from torg_auth.services.callers import Caller
from torg_auth.services.outcomes import leaving_traces
from torg_auth.services.passwords import hasher
from torg_auth.services.record import record
from torg_auth.services.sessions import Tokens, open_session
from torg_auth.services.statuses import welcome
from torg_auth.signing import signed, unsigned

COOKIE_SECONDS = 600
_USE = "social sign-in"


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser is sent, and the mark that it has to bring back."""

    address: str
    mark: str


def begin(name: str) -> Departure:
    """Send a browser to a provider.

    Raises:
        ProviderNotFoundError: unknown or not configured.
        ProviderAwayError: its description cannot be fetched.
    """
    provider = providers.provider_of(name)
    state, nonce, verifier = (secrets.token_urlsafe(size) for size in (24, 24, 48))
    address = providers.authorize_address(provider, state, nonce, verifier)
    return Departure(address, signed(_USE, [name, state, nonce, verifier]))


@dataclass(frozen=True, slots=True)
class Return:
    """What a browser brings back: the query of the callback, and its mark."""

    state: str
    code: str | None
    error: str | None
    issuer: str | None
    mark: str | None


def finish(name: str, brought: Return, caller: Caller) -> Tokens:
    """Sign in whom the provider vouches for; a new person gets an account.

    Raises:
        ProviderNotFoundError: unknown or not configured.
        SocialStateError: this browser did not begin it, or too long ago.
        SocialRefusedError: the provider said no, or proved nothing; or the account is closed.
        ProviderEmailUnverifiedError: a new person, whose address the provider does not vouch for.
        ProviderAwayError: the provider does not answer.
    """
    provider = providers.provider_of(name)
    nonce, verifier = _recognised(name, brought)
    # RFC 9207: an answer that names another issuer belongs to another conversation.
    if brought.issuer is not None and provider.issuer and brought.issuer != provider.issuer:
        raise SocialRefusedError(reason="issuer")
    if brought.code is None:
        raise SocialRefusedError(reason=brought.error or "no code")
    person = providers.person_behind(provider, brought.code, nonce, verifier)
    password_hash = hasher().hash(secrets.token_urlsafe(32))
    try:
        return _admit(person, password_hash, caller)
    except (EmailTakenError, UsernameTakenError):
        # Somebody registered with the same address or name at this moment: now he is there.
        return _admit(person, password_hash, caller)


def _recognised(name: str, brought: Return) -> tuple[str, str]:
    begun = unsigned(_USE, brought.mark, COOKIE_SECONDS) if brought.mark else None
    if begun is None or len(begun) != 4:
        raise SocialStateError
    begun_name, state, nonce, verifier = begun
    if begun_name != name or not hmac.compare_digest(state.encode(), brought.state.encode()):
        raise SocialStateError
    return nonce, verifier


@leaving_traces
def _admit(person: Person, password_hash: str, caller: Caller) -> Tokens | TorgError:
    # Two returns at once of one new person must not make two accounts.
    place = f"auth social {person.provider} {person.subject}"
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:place, 0))"), {"place": place}
    )
    user_id = _known(person)
    if user_id is None:
        if person.email is None or not person.is_email_verified:
            return ProviderEmailUnverifiedError()
        user_id = _holder(person.email, caller)
        if user_id is None:
            user_id = _new_account(person, person.email, password_hash, caller)
        _link(user_id, person, person.email, caller)
    if not _lock_active(user_id):
        return SocialRefusedError(reason="account closed")
    is_new_device = devices.is_new(user_id, caller)
    opened = open_session(user_id, caller)
    record(
        SecurityEventKind.LOGGED_IN,
        caller,
        user_id=user_id,
        session_id=opened.session_id,
        provider=person.provider,
    )
    if is_new_device:
        devices.tell(user_id, opened.session_id, caller)
    return opened


def _known(person: Person) -> int | None:
    found: int | None = session.scalar(
        select(ExternalIdentity.user_id).where(
            ExternalIdentity.provider == person.provider,
            ExternalIdentity.subject == person.subject,
        )
    )
    return found


def _lock_active(user_id: int) -> bool:
    found = session.scalar(
        select(User.id)
        .join(IdentityRow, IdentityRow.id == User.id)
        .where(User.id == user_id, IdentityRow.is_active)
        .with_for_update(of=User, key_share=True)
    )
    return found is not None


def _holder(email: str, caller: Caller) -> int | None:
    """The account that has confirmed this address.

    One that has not confirmed it may have been made by a stranger who waits for the owner to sign
    in: it keeps everything but the address, which becomes a mere claim.
    """
    holder = session.execute(
        select(User.id, User.email_verified_at).where(func.lower(User.email) == email.lower())
    ).one_or_none()
    if holder is None or holder.email_verified_at is not None:
        return holder.id if holder is not None else None
    # First the codes: a confirmation that is under way holds them, and is waited for here.
    session.execute(
        update(OneTimeCode)
        .where(OneTimeCode.user_id == holder.id, OneTimeCode.closed_at.is_(None))
        .values(closed_at=func.clock_timestamp(), closed_because="address_moved")
    )
    moved = session.scalar(
        update(User)
        .where(User.id == holder.id, User.email_verified_at.is_(None))
        .values(claimed_email=User.email, email=None)
        .returning(User.id)
    )
    if moved is None:
        return int(holder.id)
    record(SecurityEventKind.ADDRESS_MOVED, caller, user_id=holder.id)
    return None


def _new_account(person: Person, email: str, password_hash: str, caller: Caller) -> int:
    locale = person.locale if person.locale in LOCALES else None
    new = NewAccount(_free_username(person.name), email, "", locale=locale)
    added = add_user(new, password_hash, verified=True)
    access.add_roles(added.id, [USER])
    record(SecurityEventKind.REGISTERED, caller, user_id=added.id, provider=person.provider)
    welcome(added.id)
    return added.id


def _free_username(name: str) -> str:
    stem = username_stem(name)
    taken = session.scalar(select(User.id).where(func.lower(User.username) == stem.lower()))
    # Short enough to remember, long enough that two at once hardly meet; if they do, once more.
    return (
        stem
        if taken is None and stem != "user"
        else f"{stem}{secrets.randbelow(900_000) + 100_000}"
    )


def _link(user_id: int, person: Person, email: str, caller: Caller) -> None:
    session.execute(
        insert(ExternalIdentity).values(
            user_id=user_id, provider=person.provider, subject=person.subject, email=email
        )
    )
    record(SecurityEventKind.PROVIDER_LINKED, caller, user_id=user_id, provider=person.provider)
