// SPDX-License-Identifier: MIT
// What programs in TypeScript write: compiled by the tests, never run.
import PusherServer from 'pusher';
import Pusher from 'pusher-js';

import { ApiNotFound, ChapiError, connect, type Client, type ServedCall } from 'chapi';
import { connectRemote } from 'chapi/remote';

async function provider(client: Client): Promise<void> {
	const granted = await client.register('add',
		({ a, b }: { a: number; b: number }, call: ServedCall) => {
		call.progress({ done: 0.5 });
		return call.signal.aborted ? null : a + b;
	}, { policy: 'share', timeout: 500, tags: ['math'] });
	const state: 'active' | 'standby' | 'paused' | 'draining' = granted.state;
	client.on('revoked', (name: string, reason: string) => console.log(name, reason, state));
}

async function caller(): Promise<number> {
	const client = await connect({ name: 'types', appKey: 'key' });
	const call = client.call<number>('add', { a: 1, b: 2 },
		{ timeout: 100, progress: true, signal: AbortSignal.timeout(5) });
	for await (const value of call.progress)
		console.log(value);
	try {
		return await call;
	} catch (e) {
		if (e instanceof ApiNotFound)
			return 0;
		if (e instanceof ChapiError && e.ran === 'no')
			return -1;
		throw e;
	} finally {
		client.close();
	}
}

async function wrong(client: Client): Promise<void> {
	// @ts-expect-error a policy that there is not
	await client.register('x', () => 1, { policy: 'steal' });
	// @ts-expect-error no handler
	await client.register('x');
}

async function remote(pusher: Pusher, server: PusherServer): Promise<string> {
	const client = await connectRemote({ pusher, server, channel: 'private-chapi-pi' });
	// @ts-expect-error there is no one-way call over a hub
	client.call('note', {}, { oneway: true });
	return client.call<string>('text', {}, { timeout: 100 });
}

export { caller, provider, remote, wrong };
