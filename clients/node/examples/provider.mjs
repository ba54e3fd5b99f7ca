// SPDX-License-Identifier: MIT
// Two functions that others can call: the machine's load, and a count that says how far it is and
// can be cancelled. Run it, then: chapi-call count n=3
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from 'chapi';

const chapi = await connect({ name: 'provider.mjs' });

await chapi.register('load', () => os.loadavg(),
	{ summary: 'Load of the last 1, 5 and 15 minutes' });

await chapi.register('count', async ({ n }, { signal, progress }) => {
	for (let i = 1; i <= n; i++) {
		await sleep(100, undefined, { signal });
		progress(i);
	}
	return n;
}, {
	summary: 'Counts to n',
	params: { type: 'object', required: ['n'],
		properties: { n: { type: 'integer', minimum: 0 } } },
});
