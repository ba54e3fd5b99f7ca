# SPDX-License-Identifier: MIT
"""What can go wrong with a call: one class for each error code.

Every error says in `ran` whether the function was started: 'no', 'yes' or 'unknown'. After
'no' it is safe to try again; after 'unknown' only if doing it twice does no harm.
"""
from __future__ import annotations

from typing import Any, Dict, Mapping, Optional


class Error(Exception):
    """The base of all errors of chapi; itself used for codes that this version does not know.

    An API function raises one to choose what its caller is told; callers see the codes
    `invalid_argument`, `busy`, `cancelled`, `permission_denied` and `failed_precondition` as they
    are, and any other one in `details['code']` of an `ApiError`.

    Attributes:
        code: what programs match, such as 'api_not_found'.
        message: one line for people.
        ran: 'no', 'yes' or 'unknown'.
        details: more about it; depends on the code.
    """

    code = 'internal'
    ran = 'unknown'

    def __init__(self, message: str = '', *, code: Optional[str] = None, ran: Optional[str] = None,
                 details: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.ran = ran or type(self).ran
        self.details: Dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        return '%s: %s (ran: %s)' % (self.code, self.message, self.ran)

    def to_record(self) -> Dict[str, Any]:
        """The error as it travels: {code, message, ran, details?}."""
        record: Dict[str, Any] = {'code': self.code, 'message': self.message, 'ran': self.ran}
        if self.details:
            record['details'] = self.details
        return record

    @staticmethod
    def from_record(record: Any) -> Error:
        """The error of the right class for what a gateway sent."""
        if not isinstance(record, Mapping):
            return Internal('an error that cannot be read: %r' % (record,))
        code = str(record.get('code', 'internal'))
        details = record.get('details')
        return _CLASSES.get(code, Error)(
            str(record.get('message', '')), code=code, ran=str(record.get('ran', 'unknown')),
            details=details if isinstance(details, Mapping) else None)


class ApiError(Error):
    """The function itself failed; its own code, if it has one, is in details['code']."""
    code = 'api_error'
    ran = 'yes'


class InvalidArgument(Error):
    """The params do not fit the function, or an option has a wrong value."""
    code = 'invalid_argument'
    ran = 'no'


class ApiNotFound(Error):
    """There is no such name, or not one that this caller may see."""
    code = 'api_not_found'
    ran = 'no'


class ApiExists(Error):
    """The name is taken."""
    code = 'api_exists'
    ran = 'no'


class PermissionDenied(Error):
    """The gateway's policy does not allow it."""
    code = 'permission_denied'
    ran = 'no'


class Unauthenticated(Error):
    """A proof of identity is missing or wrong; for a remote client: the key or the secret."""
    code = 'unauthenticated'
    ran = 'no'


class FailedPrecondition(Error):
    """Something around it is not as it has to be: another app's gateway, no hub configured, ..."""
    code = 'failed_precondition'
    ran = 'no'


class Busy(Error):
    """Too many calls wait already; details['retry_after_ms'] says when to try again."""
    code = 'busy'
    ran = 'no'


class RateLimited(Error):
    """The budget of calls is spent; details['retry_after_ms'] says when to try again."""
    code = 'rate_limited'
    ran = 'no'


class Paused(Error):
    """The function is paused or draining."""
    code = 'paused'
    ran = 'no'


class HubDown(Error):
    """The hub cannot be reached or does not take the event."""
    code = 'hub_down'
    ran = 'no'


class GatewayNotFound(Error):
    """Nobody is at the other side; there may have been when the call was sent."""
    code = 'gateway_not_found'


class TooLarge(Error):
    """The request (ran: no) or its answer (ran: yes) is over the limit."""
    code = 'too_large'
    ran = 'no'


class DeadlineExceeded(Error):
    """No answer came in time."""
    code = 'deadline_exceeded'


class Cancelled(Error):
    """The call was cancelled."""
    code = 'cancelled'


class ProviderGone(Error):
    """The process that holds the function ended before it answered."""
    code = 'provider_gone'


class AnswerLost(Error):
    """A repeated id whose answer is no longer kept."""
    code = 'answer_lost'


class BadReply(Error):
    """An answer that cannot be expressed or read."""
    code = 'bad_reply'
    ran = 'yes'


class BadMessage(Error):
    """A message that the gateway cannot read."""
    code = 'bad_message'
    ran = 'no'


class VersionMismatch(Error):
    """Gateway and client speak different versions of the protocol."""
    code = 'version_mismatch'
    ran = 'no'


class Internal(Error):
    """A fault of chapi's own."""
    code = 'internal'


class ConnectionLost(Error):
    """The gateway went away during the call, or (ran: no) cannot be reached."""
    code = 'connection_lost'


_CLASSES = {c.code: c for c in Error.__subclasses__()}
