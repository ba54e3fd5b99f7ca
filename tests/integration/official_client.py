# SPDX-License-Identifier: MIT
"""The official clients for Python against a hub and a gateway: pusher publishes a request, Pysher
hears the response; then Pysher sends the request itself. One line of JSON for each step.

    official_client.py PORT APP_ID KEY SECRET_FILE CHANNEL
"""
import json
import queue
import sys

import pusher
import pysher

port, app_id, key, secret_file, channel_name = sys.argv[1:]
with open(secret_file) as f:
    secret = f.read().strip()


def say(step, value):
    print(json.dumps([step, value]), flush=True)


subscribed, responses = queue.Queue(), queue.Queue()
client = pysher.Pusher(key, secret=secret, custom_host='127.0.0.1', port=int(port),
                       secure=False, daemon=True)


def subscribe(_):
    """In Pysher's thread, so that nothing comes before all is bound."""
    channel = client.subscribe(channel_name)
    channel.bind('pusher_internal:subscription_succeeded', lambda _: subscribed.put(channel))
    channel.bind('response', lambda data: responses.put(json.loads(data)))


client.connection.bind('pusher:connection_established', subscribe)
client.connect()
channel = subscribed.get(timeout=10)
say('subscribed', client.connection.socket_id)

server = pusher.Pusher(app_id=app_id, key=key, secret=secret, host='127.0.0.1',
                       port=int(port), ssl=False)
answer = server.trigger(channel_name, 'request',
                        {'id': 'by-http', 'api': 'chapi.echo', 'params': {'a': 'ü'}})
say('http', [answer, responses.get(timeout=10)['result']])

server.trigger_batch([{'channel': channel_name, 'name': 'request',
                       'data': {'id': 'by-batch', 'api': 'chapi.echo', 'params': {'a': 2}}}])
say('batch', responses.get(timeout=10)['result'])

channel.trigger('client-request', {'id': 'by-socket', 'api': 'chapi.echo', 'params': {'a': 3}})
say('socket', responses.get(timeout=10)['result'])

# As the older library's programs do: no id, and the answer is known by its api.
server.trigger(channel_name, 'request',
               {'api': 'chapi.echo', 'params': {'a': 'a'}, 'timestamp': 1541030400.5})
old = responses.get(timeout=10)
while old['api'] != 'chapi.echo' or 'timestamp' not in old:
    old = responses.get(timeout=10)
say('older', [old['api'], old['params'], old['result'], old['timestamp']])

say('channels', list(server.channels_info(prefix_filter=channel_name)['channels']))
client.disconnect(1)    # without a limit it may wait for ever for its own thread
say('end', None)
