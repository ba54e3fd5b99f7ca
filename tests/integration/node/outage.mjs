// SPDX-License-Identifier: MIT
// A call over a hub that goes away while it runs. The provider answers in the meantime; the answer
// comes when the hub is back, and the function has run once.
import * as chapi from 'chapi';
import { connectRemote } from 'chapi/remote';

import { channel, newPusher, server } from './hub.mjs';

const pusher = newPusher();
const hubIsGone = new Promise(resolve => pusher.connection.bind('state_change', ({ previous }) => {
	if (previous === 'connected')
		resolve();
}));
let n = 0;

const provider = await chapi.connect();
await provider.register('slow', async () => {
	n++;
	console.log('running');
	await hubIsGone;
	return n;
});
const client = await connectRemote({ pusher, server, channel });
const limit = Number(process.env.CHAPI_TESTS_LIMIT) * 2000;
console.log(`answered ${await client.call('slow', {}, { timeout: limit })}, ran ${n}`);
console.log(`then ${await client.call('chapi.echo', 'fine', { timeout: limit })}`);
process.exit();
