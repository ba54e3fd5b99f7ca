# SPDX-License-Identifier: MIT
"""An app of the hub: its addresses, its signatures, and publishing. Standard library only."""
from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from .crypto import Seal, is_encrypted
from .errors import Error, FailedPrecondition, HubDown, RateLimited, TooLarge, Unauthenticated
from .pause import Pause, date_of, retry_after
from .version import VERSION

PUBLISH_TIMEOUT = 10.0      # seconds for a request to the hub, at most
BATCH_MAX = 10              # events that a hub takes at once
TEXT_MAX = 300              # of what a hub says, kept for a message
CLOCK_SKEW = 300            # seconds: more than this and a 401 may be the clock's fault
NOT_SENT = (ConnectionRefusedError, socket.gaierror, ssl.SSLError)
Tls = Union[bool, ssl.SSLContext]
MasterKey = Union[str, bytes]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the POST into a GET."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Answer(NamedTuple):
    """What the hub says to a request. status: some servers write it into the body of a 200."""
    status: int
    text: str
    headers: Message


class App:
    """One app of Pusher Channels, or of a server that speaks its protocol.

    Args:
        app_id, key, secret: as the hub shows them.
        cluster: such as 'eu', or the address of a hub of one's own: 'http://192.168.1.5:6001'.
        host, port: a hub of one's own, instead of cluster.
        tls: True, False, or an ssl.SSLContext with a certificate authority of one's own.
        encryption_master_key: for encrypted channels: 32 bytes, or their base64 text.

    Attributes:
        pause: while the hub wants no events. Whoever publishes looks at it first.
    """

    def __init__(self, app_id: str, key: str, secret: str, cluster: Optional[str] = None, *,
                 host: Optional[str] = None, port: Optional[int] = None, tls: Tls = True,
                 encryption_master_key: Optional[MasterKey] = None) -> None:
        if cluster and '://' in cluster:
            host, port, tls = _read_address(cluster, tls)
        if not (host or cluster):
            raise ValueError('the hub is not known: cluster= or host= is needed')
        self.app_id, self.key = str(app_id), key
        self._secret = secret.encode()
        self.tls = tls
        self.encryption_master_key = encryption_master_key
        port = port or (443 if tls else 80)
        self._socket_host = '%s:%d' % (host or 'ws-%s.pusher.com' % cluster, port)
        self._http_host = '%s:%d' % (host or 'api-%s.pusher.com' % cluster, port)
        self._clock_offset = 0.0
        self.pause = Pause()
        self._opener = urllib.request.build_opener(
            _NoRedirect, urllib.request.HTTPSHandler(context=self.ssl_context))

    @property
    def ssl_context(self) -> Optional[ssl.SSLContext]:
        """None for the default one."""
        return self.tls if isinstance(self.tls, ssl.SSLContext) else None

    @property
    def socket_url(self) -> str:
        """The address of the hub's WebSocket."""
        return '%s://%s/app/%s?protocol=7&client=chapi-python&version=%s' % (
            'wss' if self.tls else 'ws', self._socket_host, self.key, VERSION)

    # -- signatures

    def sign(self, text: str) -> str:
        """HMAC-SHA256 with the secret, in hexadecimal."""
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def channel_auth(self, socket_id: str, channel: str) -> str:
        """The proof that a private channel may be subscribed."""
        return '%s:%s' % (self.key, self.sign('%s:%s' % (socket_id, channel)))

    def signed_target(self, method: str, path: str, body: bytes = b'',
                      query: Optional[Mapping[str, str]] = None,
                      now: Optional[float] = None) -> str:
        """The target of an HTTP request, signed; now in seconds since 1970, None for the clock."""
        now = time.time() + self._clock_offset if now is None else now
        parameters = dict(query or {}, auth_key=self.key, auth_timestamp=str(int(now)),
                          auth_version='1.0')
        if body:
            parameters['body_md5'] = hashlib.md5(body).hexdigest()
        text = '&'.join('%s=%s' % item for item in sorted(parameters.items()))
        return '%s?%s&auth_signature=%s' % (path, text, self.sign('\n'.join((method, path, text))))

    # -- publishing

    def publish(self, channel: str, event: str, data: List[str], socket_id: Optional[str] = None,
                timeout: float = PUBLISH_TIMEOUT) -> None:
        """Publishes one event for each text in data; blocks until the hub has them.

        On an encrypted channel they go out sealed. Never tries again by itself. socket_id is the
        connection that does not get them back. timeout: seconds, above 0, for each step of a
        request to the hub; more than 10 are 10.

        Raises:
            HubDown: the hub cannot be reached (ran: no), or its answer did not come (ran: unknown).
            Unauthenticated, FailedPrecondition, TooLarge, RateLimited: the hub refused it.
            HubDown and RateLimited say in details['retry_after_ms'] when the hub wants the next
            one, if it said so.
        """
        if is_encrypted(channel):
            seal = Seal(channel, self.encryption_master_key)
            data = [seal.close(text) for text in data]
        for i in range(0, len(data), BATCH_MAX):
            self._publish_some(channel, event, data[i:i + BATCH_MAX], socket_id,
                               min(timeout, PUBLISH_TIMEOUT))

    def _publish_some(self, channel: str, event: str, data: List[str],
                      socket_id: Optional[str], timeout: float) -> None:
        entries: List[Dict[str, Any]] = [
            {'name': event, 'channel': channel, 'data': d} for d in data]
        if socket_id:
            for entry in entries:
                entry['socket_id'] = socket_id
        if len(entries) > 1:
            self._post('batch_events', {'batch': entries}, timeout)
            return
        entries[0]['channels'] = [entries[0].pop('channel')]
        self._post('events', entries[0], timeout)

    def _post(self, what: str, value: Any, timeout: float) -> None:
        body = json.dumps(value, ensure_ascii=False, separators=(',', ':')).encode()
        answer = self._send(what, body, timeout)
        if answer.status == 401 and self._is_clock_wrong(answer.headers.get('Date', '')):
            answer = self._send(what, body, timeout)
        if answer.status != 200:
            raise self._refused(answer)

    def _refused(self, answer: _Answer) -> Error:
        """What the answer is for who publishes; what it says of the next try holds for all."""
        wait = retry_after(answer.headers.get('Retry-After', ''), answer.headers.get('Date', ''))
        error = _refusal(answer.status, answer.text, wait)
        if 'retry_after_ms' in error.details:
            self.pause.begin(wait, error)
        return error

    def _send(self, what: str, body: bytes, timeout: float) -> _Answer:
        target = self.signed_target('POST', '/apps/%s/%s' % (self.app_id, what), body)
        request = urllib.request.Request(
            '%s://%s%s' % ('https' if self.tls else 'http', self._http_host, target), body,
            {'Content-Type': 'application/json', 'X-Pusher-Library': 'chapi-python ' + VERSION})
        try:
            return self._exchange(request, timeout)
        except urllib.error.URLError as e:
            raise HubDown('the hub cannot be reached: %s' % e.reason,
                          ran='no' if isinstance(e.reason, NOT_SENT) else 'unknown') from e
        except (OSError, http.client.HTTPException) as e:
            raise HubDown('the hub did not answer: %s' % (e or type(e).__name__),
                          ran='unknown') from e

    def _exchange(self, request: urllib.request.Request, timeout: float) -> _Answer:
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return _Answer(*_status_within(answer.read(1 << 16)), answer.headers)
        except urllib.error.HTTPError as e:
            with e:
                return _Answer(e.code, e.read(TEXT_MAX).decode(errors='replace'), e.headers)

    def _is_clock_wrong(self, date: str) -> bool:
        """Takes the hub's time if ours differs: small machines start with 1970."""
        then = date_of(date)
        if then is None or abs(then - time.time() - self._clock_offset) < CLOCK_SKEW:
            return False
        self._clock_offset = then - time.time()
        return True


def _read_address(address: str, tls: Tls) -> Tuple[str, Optional[int], Tls]:
    """host, port and tls of 'http://HOST:PORT' or 'https://HOST:PORT'."""
    url = urllib.parse.urlsplit(address)
    if url.scheme not in ('http', 'https') or not url.hostname or url.path.strip('/'):
        raise ValueError('%r is no address of a hub: http://HOST:PORT is' % address)
    return url.hostname, url.port, tls if url.scheme == 'https' else False


def _status_within(body: bytes) -> Tuple[int, str]:
    """(status, text) of a 200."""
    text = body.decode(errors='replace')
    try:
        answer = json.loads(text)
    except ValueError:
        return 200, text
    if isinstance(answer, dict) and 'error' in answer:
        code = answer.get('code')
        return code if isinstance(code, int) else 400, str(answer['error'])
    return 200, text


def _refusal(status: int, text: str, wait: int) -> Error:
    """wait: seconds until the hub wants the next event; 0: it does not say."""
    message = 'the hub does not take the event: %d %s' % (status, ' '.join(text[:TEXT_MAX].split()))
    if status == 401:
        return Unauthenticated(message)
    if status == 413:
        return TooLarge(message)
    if status not in (408, 429) and status < 500:
        return FailedPrecondition(message)
    details = {}
    if wait > 0:
        message += '; it wants the next one in %d s' % wait
        details['retry_after_ms'] = wait * 1000
    if status == 429:
        return RateLimited(message, details=details)
    return HubDown(message, ran='unknown', details=details)
