#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One call from a remote client, over the hub, with nothing but Python's standard library.

Subscribes to the gateway's channel over a WebSocket, publishes the event "request" through the
hub's HTTP API, and prints the event "response" that has the same id. Exit status: 0 for a
result, 1 for an error of the API or the gateway, 2 when no answer came.

    remote-call.py --cluster eu --app ID:KEY --secret-file FILE \\
        --channel private-chapi-pi echo '{"a": 1}'

For a hub of your own, --host, --port and --tls in place of --cluster. Certificates are checked by
the system's, or by those of $SSL_CERT_FILE.
"""
import argparse
import base64
import hashlib
import hmac
import http.client
import json
import os
import secrets
import socket
import ssl
import struct
import sys
import time


def hmac_hex(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class WebSocket:
    """As much of RFC 6455 as a client of a hub needs: text frames and pings."""

    def __init__(self, host, port, path, timeout, tls=None):
        self.socket = socket.create_connection((host, port), timeout)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.stream = self.socket.makefile("rb")
        nonce = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {nonce}\r\n"
                             "Sec-WebSocket-Version: 13\r\n\r\n").encode())
        status = self.stream.readline().decode()
        if " 101 " not in status:
            raise ConnectionError(f"the hub does not take the WebSocket: {status.strip()}")
        while self.stream.readline().strip():
            pass

    def send(self, payload, opcode=1):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def receive(self):
        """The next text message; None when the hub has closed."""
        text = b""
        while True:
            head = self.stream.read(2)
            if len(head) < 2:
                return None
            size = head[1] & 0x7f
            if size > 125:
                size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
            payload = self.stream.read(size)
            opcode = head[0] & 0x0f
            if opcode == 8:
                return None
            if opcode == 9:
                self.send(payload, 10)
            elif opcode in (0, 1):
                text += payload
                if head[0] & 0x80:
                    return text.decode()


def events(websocket):
    """The hub's events as (event, channel, data), data decoded."""
    while True:
        text = websocket.receive()
        if text is None:
            raise ConnectionError("the hub closed the connection")
        message = json.loads(text)
        data = message.get("data")
        yield (message["event"], message.get("channel"),
               json.loads(data) if isinstance(data, str) else data)


def places(args):
    """Host and port of the WebSocket, and those of the HTTP API."""
    if args.cluster:
        return (f"ws-{args.cluster}.pusher.com", 443), (f"api-{args.cluster}.pusher.com", 443)
    return (args.host, args.port), (args.host, args.port)


def http_connection(args):
    host, port = places(args)[1]
    if args.tls:
        return http.client.HTTPSConnection(host, port, timeout=args.timeout, context=args.tls)
    return http.client.HTTPConnection(host, port, timeout=args.timeout)


def publish(args, event, data):
    app_id, key = args.app.split(":")
    body = json.dumps({"name": event, "channels": [args.channel], "data": json.dumps(data)})
    query = (f"auth_key={key}&auth_timestamp={int(time.time())}&auth_version=1.0"
             f"&body_md5={hashlib.md5(body.encode()).hexdigest()}")
    path = f"/apps/{app_id}/events"
    signature = hmac_hex(args.secret, f"POST\n{path}\n{query}")
    hub = http_connection(args)
    hub.request("POST", f"{path}?{query}&auth_signature={signature}", body,
                {"Content-Type": "application/json"})
    answer = hub.getresponse()
    text = answer.read().decode()
    if answer.status != 200 or '"error"' in text:
        raise ConnectionError(f"the hub does not take the event: {answer.status} {text}")


def subscribe(args, websocket, incoming):
    key = args.app.split(":")[1]
    event, _, data = next(incoming)
    if event != "pusher:connection_established":
        raise ConnectionError(f"the hub refuses the connection: {data}")
    wanted = {"channel": args.channel}
    if args.channel.startswith("private-"):
        wanted["auth"] = f"{key}:{hmac_hex(args.secret, data['socket_id'] + ':' + args.channel)}"
    websocket.send(json.dumps({"event": "pusher:subscribe", "data": wanted}).encode())
    for event, _, data in incoming:
        if event == "pusher_internal:subscription_succeeded":
            return
        if event in ("pusher:error", "pusher:subscription_error"):
            raise ConnectionError(f"the hub refuses the channel: {data}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", help="of the hosted service, such as eu")
    parser.add_argument("--host", default="127.0.0.1", help="a hub of your own")
    parser.add_argument("--port", type=int, default=6001)
    parser.add_argument("--tls", action="store_true", help="which --cluster always has")
    parser.add_argument("--app", required=True, metavar="ID:KEY")
    parser.add_argument("--secret-file", required=True, help="the app's secret")
    parser.add_argument("--channel", required=True, help="private-chapi- and the gateway's name")
    parser.add_argument("--timeout", type=float, default=10, help="seconds")
    parser.add_argument("api")
    parser.add_argument("params", nargs="?", default="{}", help="JSON")
    args = parser.parse_args()
    with open(args.secret_file, encoding="ascii") as file:
        args.secret = file.read().strip()
    args.tls = ssl.create_default_context() if args.tls or args.cluster else None
    return args


def main():
    args = arguments()
    websocket = WebSocket(*places(args)[0], f"/app/{args.app.split(':')[1]}?protocol=7",
                          args.timeout, args.tls)
    incoming = events(websocket)
    subscribe(args, websocket, incoming)
    request = {"id": secrets.token_hex(8), "api": args.api, "params": json.loads(args.params)}
    publish(args, "request", request)
    for event, channel, data in incoming:
        if event == "response" and channel == args.channel and data.get("id") == request["id"]:
            print(json.dumps(data["error"] or data["result"]))
            return 1 if data["error"] else 0
        if event == "response-part" and data.get("id") == request["id"]:
            raise ValueError("the answer is large and comes in parts, which this cannot read")
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        print(f"remote-call.py: {error}", file=sys.stderr)
        sys.exit(2)
