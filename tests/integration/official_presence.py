# SPDX-License-Identifier: MIT
"""The official clients for Python on a presence channel: two of Pysher are its members, and pusher
asks over HTTP who is there. One line of JSON for each step.

    official_presence.py PORT APP_ID KEY SECRET_FILE CHANNEL
"""
import json
import queue
import sys

import pusher
import pysher

port, app_id, key, secret_file, room = sys.argv[1:]
with open(secret_file) as f:
    secret = f.read().strip()


def say(step, value):
    print(json.dumps([step, value]), flush=True)


class Member:
    """heard(event) waits for that event of the protocol on the room."""

    def __init__(self, user_id, name):
        self.events = {'subscription_succeeded': queue.Queue(), 'member_added': queue.Queue(),
                       'member_removed': queue.Queue()}
        user = {'user_id': user_id, 'user_info': {'name': name}}
        self.client = pysher.Pusher(key, secret=secret, custom_host='127.0.0.1', port=int(port),
                                    secure=False, daemon=True, user_data=user)
        self.client.connection.bind('pusher:connection_established', self.subscribe)
        self.client.connect()

    def subscribe(self, _):
        channel = self.client.subscribe(room)
        for event, heard in self.events.items():
            channel.bind('pusher_internal:' + event, heard.put)

    def heard(self, event):
        data = self.events[event].get(timeout=10)
        return json.loads(data) if isinstance(data, str) else data


ann = Member('ann', 'Ann')
say('subscribed', ann.heard('subscription_succeeded')['presence'])
bob = Member('bob', 'Bob')
say('added', ann.heard('member_added'))
bob.heard('subscription_succeeded')

server = pusher.Pusher(app_id=app_id, key=key, secret=secret, host='127.0.0.1',
                       port=int(port), ssl=False)
say('users', sorted(user['id'] for user in server.users_info(room)['users']))

bob.client.unsubscribe(room)
say('removed', ann.heard('member_removed'))
for member in (ann, bob):
    member.client.disconnect(1)     # without a limit it may wait for ever for its own thread
say('end', None)
