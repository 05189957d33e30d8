"""Whether a Signature Version 4 request was signed with a key's secret, and when.

The services spoken here take a request's hash from its body only: ``UNSIGNED-PAYLOAD`` is S3's.
Source: AWS IAM User Guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote

from gureum.errors import ApiError
from gureum.wire.form import parsed
from gureum.wire.sigv4 import ALGORITHM, TERMINATOR, Scope, parse_scope

SKEW = timedelta(minutes=15)
"""How far the clocks of a signer and of this machine may be apart."""
LONGEST = 604_800
"""Seconds for which a presigned request may serve: a week."""

_MOMENT = "%Y%m%dT%H%M%SZ"
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_SPACES = re.compile(r"[ \t]+")
_UNRESERVED = "-_.~"
_PORTS = (":80", ":443")
"""What some clients leave out of the Host that they sign, and others put in."""


@dataclass(frozen=True)
class Sent:
    """A request as it came.  ``path`` and ``query`` are not decoded; names of ``headers`` are in
    lower case, several of one name are joined by commas, bytes are ISO 8859-1."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(
        cls,
        method: str,
        path: bytes,
        query: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> Sent:
        """From the bytes of a request line, its headers and its body."""
        found: dict[str, str] = {}
        for raw_name, raw_value in headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            found[name] = f"{found[name]},{value}" if name in found else value
        return cls(method, path.decode("latin-1"), query.decode("latin-1"), found, body)


@dataclass(frozen=True)
class Claim:
    """What a signed request says of its signature.  ``headers`` are those signed, ``query`` the
    parameters signed; ``expires`` is how long a presigned one serves."""

    scope: Scope
    headers: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    signature: str
    moment: datetime
    expires: timedelta | None = None
    token: str | None = None


class MismatchError(Exception):
    """A signature that is not good; the text says of what."""


class UntimelyError(Exception):
    """A signature that is good no more, or not yet; the text says when it is."""


# --- what is claimed ----------------------------------------------------------------------------
def claim(sent: Sent) -> Claim | None:
    """What the Authorization header says, or else a presigned query; None if it is not signed.

    Raises:
        ApiError: ``IncompleteSignature`` where something is missing or cannot be read.
    """
    query = parsed(sent.query)
    authorization = sent.headers.get("authorization")
    if authorization is not None:
        return _of_header(sent, authorization, query)
    named = dict(query)
    if len(named) != len(query):
        raise _incomplete("A query parameter was specified more than once")
    if "X-Amz-Algorithm" in named:
        return _of_query(named)
    return None


def _of_header(sent: Sent, authorization: str, query: list[tuple[str, str]]) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm[:40]}'.")
    parts: dict[str, str] = {}
    for each in rest.split(","):
        name, _, value = each.strip().partition("=")
        if name in parts:
            raise _incomplete(f"Authorization header has '{name[:40]}' more than once.")
        parts[name] = value
    wanted = ("Credential", "Signature", "SignedHeaders")
    lacking = [
        f"Authorization header requires '{each}' parameter."
        for each in wanted
        if not parts.get(each)
    ]
    if lacking:
        raise _incomplete(" ".join(lacking))
    date = _header(sent, "x-amz-date") or _header(sent, "date")
    if not date:
        raise _incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    return Claim(
        scope=parse_scope(parts["Credential"]),
        headers=_signed_headers(parts["SignedHeaders"]),
        query=tuple(query),
        signature=parts["Signature"],
        moment=_moment(date),
        token=_header(sent, "x-amz-security-token"),
    )


def _header(sent: Sent, name: str) -> str | None:
    """A header as it is signed: spaces around and within count as AWS counts them."""
    value = sent.headers.get(name)
    return None if value is None else _trimmed(value)


def _of_query(query: Mapping[str, str]) -> Claim:
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{query['X-Amz-Algorithm'][:40]}'.")
    for name in ("Credential", "Date", "SignedHeaders", "Signature"):
        if not query.get(f"X-Amz-{name}"):
            raise _incomplete(
                f"AWS query-string parameters must include 'X-Amz-{name}'. Re-examine the "
                "query-string parameters."
            )
    return Claim(
        scope=parse_scope(query["X-Amz-Credential"]),
        headers=_signed_headers(query["X-Amz-SignedHeaders"]),
        query=tuple(pair for pair in query.items() if pair[0] != "X-Amz-Signature"),
        signature=query["X-Amz-Signature"],
        moment=_moment(query["X-Amz-Date"]),
        expires=_expires(query.get("X-Amz-Expires")),
        token=query.get("X-Amz-Security-Token"),
    )


@lru_cache(maxsize=64)
def _signed_headers(text: str) -> tuple[str, ...]:
    names = tuple(text.split(";"))
    if len(set(names)) != len(names) or not all(map(_HEADER.fullmatch, names)):
        raise _incomplete("'SignedHeaders' must be names of headers in lower case, once each.")
    if "host" not in names:
        raise _incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return names


def _expires(text: str | None) -> timedelta | None:
    if text is None:
        return None
    seconds = int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else 0
    if not 0 < seconds <= LONGEST:
        raise _incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST}.")
    return timedelta(seconds=seconds)


def _moment(text: str) -> datetime:
    found = _BASIC.fullmatch(text)
    try:
        if found is not None:
            return datetime(*map(int, found.groups()), tzinfo=UTC)  # type: ignore[arg-type, misc]
        return parsedate_to_datetime(text).replace(microsecond=0).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{text[:40]}'.") from None


def _incomplete(message: str) -> ApiError:
    return ApiError("IncompleteSignature", message)


# --- whether it is so ---------------------------------------------------------------------------
def verify(sent: Sent, claimed: Claim, secret: str, now: datetime) -> None:
    """Make sure that a request is of the hour and was signed with ``secret``.

    Raises:
        UntimelyError: it is too old or of the future.
        MismatchError: the signature is another, or of another day.
    """
    _check_time(claimed, now)
    stamp = claimed.moment.strftime(_MOMENT)
    day = stamp[:8]
    if claimed.scope.date != day:
        raise MismatchError(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{claimed.scope.date}' != '{day}', from '{stamp}'."
        )
    if not _SIGNATURE.fullmatch(claimed.signature) or not _matches(sent, claimed, secret, stamp):
        raise MismatchError(
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details."
        )


def _check_time(claimed: Claim, now: datetime) -> None:
    moment, until = claimed.moment, claimed.moment + (claimed.expires or SKEW)
    if now - SKEW <= moment <= now + SKEW and now <= until:
        return  # by far the most
    signed, shown = moment.strftime(_MOMENT), now.strftime(_MOMENT)
    if moment > now + SKEW:
        latest = (now + SKEW).strftime(_MOMENT)
        raise UntimelyError(
            f"Signature not yet current: {signed} is still later than {latest} ({shown} + 15 min.)"
        )
    if now > until and claimed.expires is not None:
        raise UntimelyError(
            f"Signature expired: {until.strftime(_MOMENT)} is now earlier than {shown}"
        )
    if now > until:
        earliest = (now - SKEW).strftime(_MOMENT)
        raise UntimelyError(
            f"Signature expired: {signed} is now earlier than {earliest} ({shown} - 15 min.)"
        )


def _matches(sent: Sent, claimed: Claim, secret: str, stamp: str) -> bool:
    if not all(name in sent.headers for name in claimed.headers):
        return False
    scope = claimed.scope
    key = signing_key(secret, scope.date, scope.region, scope.service)
    payload = hashlib.sha256(sent.body).hexdigest()
    for host in _hosts(sent.headers):
        request = canonical_request(sent, claimed, host, payload)
        digest = hashlib.sha256(request.encode("latin-1")).hexdigest()
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}"
        if hmac.compare_digest(_hmac(key, text).hex(), claimed.signature):
            return True
    return False


def _hosts(headers: Mapping[str, str]) -> Iterator[str]:
    """The forms in which a client may have signed the Host: as it came; as a proxy says it came;
    without a port, or with one that goes without saying.  Nothing is decided by its port."""
    for given in dict.fromkeys((headers["host"], headers.get("x-forwarded-host") or "")):
        if given:
            yield given
            name, colon, port = given.rpartition(":")
            if colon and port.isdecimal():
                yield name
            else:
                yield from (given + each for each in _PORTS)


def canonical_request(sent: Sent, claimed: Claim, host: str, payload: str) -> str:
    """The request in the form whose hash is signed; ``payload`` is the hash of its body."""
    headers = "".join(
        f"{name}:{_trimmed(host if name == 'host' else sent.headers[name])}\n"
        for name in claimed.headers
    )
    pairs = sorted(
        (quote(n, safe=_UNRESERVED), quote(v, safe=_UNRESERVED)) for n, v in claimed.query
    )
    return "\n".join(
        (
            sent.method,
            _canonical_path(sent.path),
            "&".join(f"{name}={value}" for name, value in pairs),
            headers,
            ";".join(claimed.headers),
            payload,
        )
    )


def _trimmed(value: str) -> str:
    return _SPACES.sub(" ", value).strip(" ")


def _canonical_path(path: str) -> str:
    """A path with dots and doubled slashes resolved (RFC 3986, 5.2.4), encoded once more than it
    came, as all services but S3 have it."""
    if path == "/":
        return path  # by far the most
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if kept and path.endswith(("/", "/.", "/..")) else ""
    return quote(("/" + "/".join(kept) + end).encode("latin-1"), safe="/" + _UNRESERVED)


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service; four hashes that are the same all day."""
    key = f"AWS4{secret}".encode()
    for text in (date, region, service, TERMINATOR):
        key = _hmac(key, text)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("latin-1"), "sha256")
