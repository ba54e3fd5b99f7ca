# SPDX-License-Identifier: MIT
"""The request and the response as records, with the names they have everywhere in chapi."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from .errors import Error, Internal


@dataclass(frozen=True)
class Request:
    """A request, as an API function finds it in `current_call().request`.

    Attributes:
        id: the call's label.
        api: the name called.
        params: what the caller gave, usually a dict.
        request_time: when the caller made it, in seconds since 1970, UTC.
        timeout_ms: what was left of its time when it came, in milliseconds.
        caller: 'uid:1000'; 'claimed:LABEL' for a remote one, which proves nothing.
        origin: 'local' or 'remote'.
    """
    id: str
    api: str
    params: Any = None
    request_time: Optional[float] = None
    timeout_ms: Optional[int] = None
    caller: str = ''
    origin: str = 'local'

    @classmethod
    def from_meta(cls, api: str, params: Any, meta: Mapping[str, Any]) -> Request:
        """From what a gateway hands to a provider."""
        return cls(str(meta.get('call', '')), api, params, meta.get('request_time'),
                   meta.get('timeout_ms'), str(meta.get('caller', '')),
                   str(meta.get('origin', 'local')))


@dataclass(frozen=True)
class Response:
    """The answer to a request.

    Attributes:
        id, api: those of the request.
        result: what the function returned; None when there is an error.
        error: None, or what went wrong.
        request_time, response_time: in seconds since 1970, UTC, by the clock of the caller and of
            the gateway.
        queue_ms, run_ms: how long it waited and ran, in milliseconds.
        gateway, instance: the name of the gateway, and a value that it makes anew at each start.
        cached: the answer of an earlier call with the same id, given again.
    """
    id: str
    api: str
    result: Any = None
    error: Optional[Error] = None
    request_time: Optional[float] = None
    response_time: Optional[float] = None
    queue_ms: Optional[float] = None
    run_ms: Optional[float] = None
    gateway: str = ''
    instance: str = ''
    cached: bool = False

    def value(self) -> Any:
        """The result; raises the error if there is one."""
        if self.error is not None:
            raise self.error
        return self.result

    @classmethod
    def from_record(cls, record: Any) -> Response:
        """From what a gateway sent."""
        if not isinstance(record, Mapping):
            raise Internal('a response that is no record: %r' % (record,))
        error = record.get('error')
        return cls(str(record.get('id', '')), str(record.get('api', '')), record.get('result'),
                   None if error is None else Error.from_record(error),
                   record.get('request_time'), record.get('response_time'), record.get('queue_ms'),
                   record.get('run_ms'), str(record.get('gateway', '')),
                   str(record.get('instance', '')), bool(record.get('cached', False)))

    def to_record(self) -> Dict[str, Any]:
        """The record as it travels."""
        return dict(vars(self), error=self.error and self.error.to_record())
