// SPDX-License-Identifier: MIT
// Calls over a hub whose gateway is killed and started again while they run. They are asked for
// again when the client's own connection is back, and by then it has heard of the new instance.
import * as chapi from 'chapi';
import { connectRemote } from 'chapi/remote';

import { channel, newPusher, server } from './hub.mjs';

const timeout = Number(process.env.CHAPI_TESTS_LIMIT) * 4000;
const runs = { small: 0, large: 0 };
const provider = await chapi.connect();
await provider.register('hang', async ({ key }) => {
	if (++runs[key] === 1 && runs.small + runs.large === 2)
		console.log('running');
	await new Promise(() => {});
});

const pusher = newPusher();
const client = await connectRemote({ pusher, server, channel });
await client.call('chapi.ping', {}, { timeout });

/** The gateway serves local calls before it is back at the hub: what is asked meanwhile is lost. */
async function answered() {
	for (let isThere = false; !isThere;)
		isThere = await client.call('chapi.ping', {}, { timeout: 500 })
			.then(() => true, () => false);
}

const outcomes = Object.entries({ small: '', large: 'x'.repeat(30000) }).map(([key, filler]) => {
	const noise = filler && [...filler].map(() => Math.random().toString(36)[2]).join('');
	return client.call('hang', { key, noise }, { timeout }).catch(e =>
		`${key}: ${e.code} ${e.details?.reason} ${e.ran}`);
});
await new Promise(resolve => provider.once('restored', resolve));
await answered();
pusher.disconnect();
pusher.connect();
for (const outcome of await Promise.all(outcomes))
	console.log(outcome);
console.log(`ran ${runs.small} and ${runs.large}`);
process.exit();
