# SPDX-License-Identifier: MIT
"""chapi-serve --http: a local HTTP service as an API; what passes through, and what must not."""
import http.server
import json
import socket
import threading

import pytest

from lib.limits import LIMIT
from lib.process import environment, program, run
from lib.serving import failure

EX_USAGE = 64


class Service(http.server.ThreadingHTTPServer):
    """Answers with what it was asked; keeps it."""
    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.seen = []
        self.go_on = threading.Event()
        self.url = 'http://127.0.0.1:%d' % self.server_port
        threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.02},
                         daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        self.server.seen.append(self)
        path = self.path.split('?')[0]
        special = getattr(self, 'on_' + path.rsplit('/', 1)[-1], None)
        if special:
            return special()
        return self.say(200, json.dumps({'method': self.command, 'path': self.path,
                                         'body': body.decode(),
                                         'headers': {k.lower(): v for k,
                                                     v in self.headers.items()}}).encode(),
                        'application/json; charset=utf-8')

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer

    def say(self, status, body, kind='text/plain', headers=()):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def on_missing(self):
        self.say(404, b'nothing here')

    def on_bytes(self):
        self.say(200, b'\xff\xfe', 'application/octet-stream')

    def on_broken_json(self):
        self.say(200, b'{', 'application/json')

    def on_large(self):
        self.say(200, b'x' * 5000)

    def on_elsewhere(self):
        self.say(302, b'', headers=[('Location', 'http://192.0.2.1/')])

    def on_hops(self):
        self.say(200, b'ok', headers=[('Keep-Alive', 'timeout=5'), ('Connection', 'X-Mine'),
                                      ('X-Mine', '1'),
                                      ('X-Other', 'two'), ('Set-Cookie', 'a=1'),
                                      ('Set-Cookie', 'b=2')])

    def on_slow(self):
        self.server.go_on.wait(LIMIT)
        self.close_connection = True

    def on_cut(self):
        self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
        self.close_connection = True


@pytest.fixture
def service():
    service = Service()
    yield service
    service.go_on.set()
    service.shutdown()
    service.server_close()


@pytest.fixture
def client(gateway):
    with gateway.connect() as client:
        yield client


@pytest.fixture
def web(serve, service, client):
    """web({...}): what the service answers to that."""
    serve('web', options=['--http', service.url, '--timeout', '5s', '--max-output', '4K'])
    return lambda **params: client.call('web', params)


def test_request_and_answer(web):
    answer = web(method='post', path='/a/b', query={'x': 'a b&', 'n': 5, 'many': ['1', '2']},
                 headers={'X-Mine': 'yes'},
                 body={'k': [1, None]})
    assert answer['status'] == 200 \
        and answer['headers']['content-type'].startswith('application/json')
    seen = answer['body']
    assert (seen['method'], seen['path']) == ('POST', '/a/b?x=a%20b%26&n=5&many=1&many=2')
    assert json.loads(seen['body']) == {'k': [1, None]}
    assert seen['headers']['content-type'] == 'application/json' \
        and seen['headers']['x-mine'] == 'yes'


def test_all_may_be_left_out(web):
    seen = web()['body']
    assert (seen['method'], seen['path'], seen['body']) == ('GET', '/', '')


def test_text_goes_as_it_is(web):
    seen = web(method='PUT', body='a=1',
               headers={'content-type': 'application/x-www-form-urlencoded'})['body']
    assert seen['body'] == 'a=1' \
        and seen['headers']['content-type'] == 'application/x-www-form-urlencoded'


def test_status_of_a_failure_is_a_result(web):
    answer = web(path='/missing')
    assert (answer['status'], answer['body']) == (404, 'nothing here')


def test_head_has_no_body(web):
    assert web(method='HEAD')['body'] == ''


def test_bodies_that_are_no_text_or_no_json(web):
    assert web(path='/bytes')['body'] == b'\xff\xfe'
    assert web(path='/broken_json')['body'] == '{'


def test_redirect_is_not_followed(web):
    answer = web(path='/elsewhere')
    assert (answer['status'], answer['headers']['location']) == (302, 'http://192.0.2.1/')


def test_hop_by_hop_headers_do_not_pass(web, service):
    answer = web(path='/hops', headers={'Connection': 'X-Secret, close', 'X-Secret': '1',
                                        'TE': 'trailers', 'Host': 'evil.example',
                                        'Transfer-Encoding': 'chunked', 'Content-Length': '999',
                                        'Chapi-Caller': 'uid:0',
                                        'X-Kept': 'yes'})
    assert 'connection' not in answer['headers'] and 'keep-alive' not in answer['headers']
    assert 'x-mine' not in answer['headers'] and answer['headers']['x-other'] == 'two'
    assert answer['headers']['set-cookie'] == ['a=1', 'b=2']
    seen = service.seen[0].headers
    assert seen['Host'] == service.url[len('http://'):] and seen['X-Kept'] == 'yes'
    assert not {'x-secret', 'te', 'transfer-encoding',
                'content-length'} & {k.lower() for k in seen.keys()}
    assert seen.get_all('Chapi-Caller')[0].startswith('uid:') \
        and len(seen.get_all('Chapi-Caller')) == 1
    assert seen['Chapi-Api'] == 'web' and seen['Chapi-Origin'] == 'local'


@pytest.mark.parametrize('path', ['/../x', '/a/../../x', '/..', '/%2e%2e/x', '/%2E./x',
                                  '/%252e%252e/x', '/a%2f..%2fx', '/a%2fb',
                                  '//evil.example/x', '/..;/x', '/a\\..\\x', '/%5c..', '/a%00', 'x',
                                  '', '@evil.example/', '/a?b=1',
                                  '/a#b', '/./x', 'http://evil.example/', '/%c0%ae%c0%ae/x',
                                  '/%C0%AF..', '/%25c0%25ae/x', '/%e0%80%ae./x',
                                  '/%f0%80%80%ae/x', '/%c1%9c'])
def test_path_cannot_lead_away_from_the_base(serve, service, client, path):
    serve('web', options=['--http', service.url + '/app/'])
    error = failure(client, 'web', {'path': path})
    assert (error.code, error.ran) == ('invalid_argument', 'no') and 'path' in error.message
    assert service.seen == []


def test_path_is_below_the_base(serve, service, client):
    serve('web', options=['--http', service.url + '/app/'])
    for path, seen in (('/x', '/app/x'), ('/a b/ü', '/app/a%20b/%C3%BC'), ('/a%20b', '/app/a%20b'),
                       ('/100%', '/app/100%25'),
                       ('/...', '/app/...'), ('/%e0%a4%85', '/app/%e0%a4%85'),
                       ('/caf%e9', '/app/caf%e9'),
                       ('/a..b/', '/app/a..b/')):
        assert client.call('web', {'path': path})['body']['path'] == seen


@pytest.mark.parametrize('params', [5, {'frobnicate': 1}, {'method': 'GET / HTTP/1.1'},
                                    {'method': 'CONNECT'}, {'method': ''},
                                    {'headers': {'X': 'a\r\nEvil: 1'}}, {'headers': {'X: Y': '1'}},
                                    {'headers': {'X': ['a']}},
                                    {'headers': 'X: Y'}, {'query': 'a=1'}, {'query': {'a': {}}},
                                    {'path': 5}], ids=str)
def test_what_is_no_request_is_refused(web, service, client, params):
    error = failure(client, 'web', params)
    assert (error.code, error.ran) == ('invalid_argument', 'no')
    assert service.seen == []


def test_answer_over_the_limit(web, client):
    assert failure(client, 'web', {'path': '/large'}).details['code'] == 'too_large'


def test_answer_that_is_cut_off(web, client):
    error = failure(client, 'web', {'path': '/cut'})
    assert (error.code, error.ran, error.details['code']) == ('api_error', 'yes', 'http')


def test_service_that_is_not_there_has_not_run(serve, client):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        url = 'http://127.0.0.1:%d' % s.getsockname()[1]
        serve('web', options=['--http', url])
        error = failure(client, 'web')
    assert (error.code, error.ran) == ('busy', 'no') and 'connect' in error.message


def test_cancel_and_timeout(serve, service, client):
    serve('web', options=['--http', service.url, '--timeout', '300ms'])
    error = failure(client, 'web', {'path': '/slow'})
    assert (error.code, error.details['code']) == ('api_error', 'timeout')
    serve('long', options=['--http', service.url])
    number = client.request('call', 'long', {'path': '/slow'})
    client.notify('cancel', number)
    assert client.wait_response(number)[2]['code'] == 'cancelled'
    assert client.call('long', {'path': '/x'})['status'] == 200


@pytest.mark.parametrize('url', ['127.0.0.1:5000', 'ftp://127.0.0.1', 'http://',
                                 'http://me:pw@127.0.0.1/', 'http://127.0.0.1/?a=1',
                                 'http://127.0.0.1/#a'])
def test_wrong_url_is_said(gateway, url):
    result = run([program('chapi-serve'), '--http', url, 'web'],
                 env=environment(CHAPI_SOCKET=gateway.socket_path))
    assert result.returncode == EX_USAGE and url in result.stderr


def test_proxy_of_the_environment_is_not_used(serve, service, client, gateway):
    env = environment(CHAPI_SOCKET=gateway.socket_path, http_proxy='http://127.0.0.1:1',
                      ALL_PROXY='http://127.0.0.1:1')
    serve('web', options=['--http', service.url], env=env)
    assert client.call('web')['status'] == 200
