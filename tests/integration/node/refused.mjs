// SPDX-License-Identifier: MIT
// Calls by client events over a hub that does not take them: one, a large one, and two at a time.
import crypto from 'node:crypto';

import { connectRemote } from 'chapi/remote';

import { channel, newPusher } from './hub.mjs';

const timeout = Number(process.env.CHAPI_TESTS_LIMIT) * 4000;
const client = await connectRemote({ pusher: newPusher(), channel });

async function failure(what, params) {
	const e = await client.call('f', params, { timeout }).catch(e => e);
	console.log(`${what}: ${e.code} ${e.ran} ${e.message}`);
}

await failure('whole', {});
await failure('parts', new Uint8Array(crypto.randomBytes(12000)));
await Promise.all([failure('of two', {}), failure('of two', {})]);
process.exit();
