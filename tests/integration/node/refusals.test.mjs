// SPDX-License-Identifier: MIT
// What a caller makes of a hub's refusals. The official clients are played: no hub refuses just so.
import assert from 'node:assert/strict';
import test from 'node:test';

import { RemoteClient } from 'chapi/remote';

import { LIMIT } from './gateway.mjs';

const CHANNEL = 'private-chapi-played';
const OFF = { data: { code: 4301, message: 'The app does not have client messaging enabled.' } };

/** A client of a hub that is played: sees(event, data, hub) is what becomes of client events. */
function clientOf({ server, sees = () => {} }) {
	const handlers = {}, hub = { says: (event, data) => handlers[event]?.(data) };
	const bind = (event, handler) => { handlers[event] = handler; };
	const played = {
		name: CHANNEL, subscribed: true, bind, unbind() {},
		trigger(event, data) {
			setImmediate(() => sees(event, data, hub));
			return true;
		},
	};
	const pusher = {
		subscribe: () => played, unsubscribe() {},
		connection: { state: 'connected', socket_id: '1.1', bind, unbind() {} },
	};
	return new RemoteClient({ pusher, server, channel: CHANNEL });
}

const ends = async (call, code, ran) => {
	const e = await call.then(() => assert.fail('it ends well'), e => e);
	assert.deepEqual([e.code, e.ran], [code, ran], e.stack);
};

test('a cancel that the hub refuses is not the request', async () => {
	const controller = new AbortController();
	const client = clientOf({
		sees(event, _, hub) {
			if (event === 'client-request')
				controller.abort();
			else
				hub.says('error', OFF);
		},
	});
	await ends(client.call('f', {}, { timeout: LIMIT, signal: controller.signal }),
		'failed_precondition', 'unknown');
});

test('nor is the cancel of another one, which is answered meanwhile', async () => {
	const controller = new AbortController(), ids = [];
	const client = clientOf({
		sees(event, { id }, hub) {
			if (event === 'client-request') {
				if (ids.push(id) === 2)
					controller.abort();
				return;
			}
			hub.says('response', { id, result: 1, error: null });
			setImmediate(() => hub.says('error', OFF));
		},
	});
	const first = client.call('f', {}, { timeout: LIMIT, signal: controller.signal });
	const other = client.call('f', {}, { timeout: LIMIT });
	await Promise.all([
		first.then(result => assert.equal(result, 1)),
		ends(other, 'failed_precondition', 'unknown'),
	]);
});

const REASONS = [['connect EHOSTUNREACH', 'no'], ['connect ENETUNREACH', 'no'],
	['read EHOSTUNREACH', 'unknown'], ['write ENETUNREACH', 'unknown']];

for (const [what, ran] of REASONS)
	test(`who sends to a hub with ${what} knows that it ran: ${ran}`, async () => {
		const error = Object.assign(
			new Error(`request to http://hub/ failed, reason: ${what} 192.0.2.1:80`),
			{ code: what.split(' ')[1] });
		const server = {
			async trigger() {
				throw Object.assign(new Error('failed with an error'), { error });
			},
		};
		const noMoreTries = 400;	// milliseconds
		await ends(clientOf({ server }).call('f', {}, { timeout: noMoreTries }),
			'hub_down', ran);
	});
