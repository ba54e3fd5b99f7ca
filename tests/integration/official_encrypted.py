# SPDX-License-Identifier: MIT
"""The official library for Python publishes requests on an encrypted channel.

    official_encrypted.py PORT APP_ID KEY SECRET_FILE CHANNEL MASTER_KEY RECORD...
"""
import json
import sys

import pusher

port, app_id, key, secret_file, channel, master_key, *records = sys.argv[1:]
with open(secret_file) as f:
    secret = f.read().strip()
server = pusher.Pusher(app_id=app_id, key=key, secret=secret, host='127.0.0.1',
                       port=int(port), ssl=False, encryption_master_key_base64=master_key)
for record in records:
    server.trigger(channel, 'request', json.loads(record))
print(json.dumps(['end', None]))
