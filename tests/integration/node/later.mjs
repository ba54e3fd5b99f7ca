// SPDX-License-Identifier: MIT
// Two calls over a hub that says when it wants the next event; the second one is begun when the
// first has been refused.
import { connectRemote } from 'chapi/remote';

import { channel, newPusher, server } from './hub.mjs';

const timeout = Number(process.env.CHAPI_TESTS_LIMIT) * 2000;
let refuse;
const isRefused = new Promise(resolve => { refuse = resolve; });
const watched = {
	trigger: (...event) => server.trigger(...event).catch(e => {
		refuse(performance.now());
		throw e;
	}),
};
const client = await connectRemote({ pusher: newPusher(), server: watched, channel });

const first = client.call('chapi.echo', 'first', { timeout });
const refused = await isRefused;
const second = client.call('chapi.echo', 'second', { timeout });
for (const call of [first, second]) {
	const result = await call;
	console.log(`${result} ${performance.now() - refused >= 950 ? 'later' : 'too soon'}`);
}
process.exit();
