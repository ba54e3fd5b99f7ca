// SPDX-License-Identifier: MIT
// Calls on an encrypted channel: through pusher-js for Node, and through its build for web pages
// that can decrypt. `same` is served at the gateway ($CHAPI_SOCKET).
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { createRequire } from 'node:module';

import * as chapi from 'chapi';
import { connectRemote, FailedPrecondition } from 'chapi/remote';

import { channel, newPusher, server, serverWithoutKey } from './hub.mjs';
import { LIMIT } from './gateway.mjs';

/** Where the runtime has a WebSocket it is as good as a web page. */
function forWebPages() {
	globalThis.self = globalThis.window = globalThis;
	globalThis.window.addEventListener ??= () => {};
	globalThis.navigator ??= { onLine: true };
	globalThis.document = { body: {}, location: { protocol: 'http:' } };
	return createRequire(import.meta.url)('pusher-js/with-encryption');
}

async function tryCalls(pusher) {
	const client = await connectRemote({ pusher, server, channel });
	const bytes = new Uint8Array(crypto.randomBytes(30000));
	for (const value of ['Zürich', bytes, 'compressible '.repeat(5000)])
		assert.deepEqual(await client.call('same', { value }, { timeout: LIMIT }), value);
	assert.equal(await client.call('text', { value: 2n ** 60n + 1n }, { timeout: LIMIT }),
		String(2n ** 60n + 1n));
	client.close();
}

const provider = await chapi.connect();
await provider.register('same', ({ value }) => value);
await provider.register('text', ({ value }) => String(value));

const pusher = newPusher();
await tryCalls(pusher);
await tryCalls(newPusher(true, globalThis.WebSocket && forWebPages()));
console.log(globalThis.WebSocket ? 'both' : 'Node only');

const keyless = await connectRemote({ pusher, server: serverWithoutKey, channel });
await assert.rejects(keyless.call('same', { value: 1 }), e => e instanceof FailedPrecondition &&
	e.ran === 'no' && e.message.includes('encryptionMasterKey'));
// There are no client events there.
await assert.rejects(connectRemote({ pusher, channel }), FailedPrecondition);
process.exit();
