// SPDX-License-Identifier: MIT
// What a caller makes of a hub's refusals. The official clients are played: no hub refuses just so.
import assert from 'node:assert/strict';
import test from 'node:test';

import { RemoteClient } from 'chapi/remote';
import { retryAfter } from '../node_modules/chapi/lib/pause.js';

import { LIMIT } from './gateway.mjs';

const CHANNEL = 'private-chapi-played';
const OFF = { data: { code: 4301, message: 'The app does not have client messaging enabled.' } };

/**
 * A client of a hub that is played: sees(event, data, hub) is what becomes of client events. A
 * server gets the hub's says().
 */
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
	if (server)
		server.says = hub.says;
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

// ---- Retry-After ----------------------------------------------------------------------------

const AT = 'Tue, 14 Nov 2023 22:13:20 GMT', IN_A_MINUTE = 'Tue, 14 Nov 2023 22:14:20 GMT';

for (const [text, date, ms] of [
	['7', AT, 7000], [' 7 ', undefined, 7000], ['0', AT, 0], [undefined, AT, 0],
	['soon', AT, 0], ['-7', AT, 0], ['3600;', AT, 0], ['3600.0', AT, 0],
	['86401', AT, 86400000], ['9'.repeat(400), AT, 86400000],
	[IN_A_MINUTE, AT, 60000], [AT, IN_A_MINUTE, 0], [IN_A_MINUTE, undefined, 0],
	['Tue, 14 Nov 2099 22:14:20 GMT', AT, 86400000]])
	test(`Retry-After: ${text?.slice(0, 30)} at ${date} is ${ms} ms`, () =>
		assert.equal(retryAfter({ 'retry-after': text, date }), ms));

/** A client of a hub that refuses one event; how often something was published. */
function clientOfBusyHub(status, headers) {
	const counter = { n: 0 };
	const server = {
		async trigger() {
			if (counter.n++ === 0)
				throw Object.assign(new Error('busy'), { status, headers });
		},
	};
	return [clientOf({ server }), counter];
}

const AN_HOUR = { 'retry-after': '3600' }, HALF_AN_HOUR = 1800000;

for (const headers of [AN_HOUR, new Headers(AN_HOUR)])
	test(`a call whose next try would be too late ends at once (${headers.constructor.name})`,
		async () => {
			const [client, counter] = clientOfBusyHub(429, headers);
			for (const why of [/wants the next one in/, /not sent.*busy/]) {
				const e = await client.call('f', {}, { timeout: HALF_AN_HOUR })
					.then(() => assert.fail('it ends well'), e => e);
				assert.deepEqual([e.code, e.ran], ['rate_limited', 'no']);
				assert.match(e.message, why);
				assert.ok(e.details.retry_after_ms > HALF_AN_HOUR);
			}
			assert.equal(counter.n, 1);
		});

test('what is in doubt stays so, and is not tried again too soon', async () => {
	const [client, counter] = clientOfBusyHub(503, AN_HOUR);
	await ends(client.call('f', {}, { timeout: 1000 }), 'hub_down', 'unknown');
	await ends(client.call('f', {}, { timeout: 1000 }), 'hub_down', 'no');
	assert.equal(counter.n, 1);
});

/** Those that keep a process from its end. */
const timers = () => process.getActiveResourcesInfo().filter(what => what === 'Timeout').length;

test('once a call is over, its next try keeps no process from its end', async () => {
	const before = timers();
	const [client, counter] = clientOfBusyHub(429, { 'retry-after': '600' });
	const calls = [1, 2].map(n => client.call('f', { n }, { timeout: HALF_AN_HOUR }));
	while (counter.n === 0)
		await new Promise(setImmediate);
	await new Promise(setImmediate);
	client.close();
	for (const call of calls)
		await ends(call, 'connection_lost', 'unknown');
	assert.ok(timers() <= before);
});

test('nor does a cancel that was answered', async () => {
	const controller = new AbortController(), { signal } = controller, before = timers();
	const server = {
		async trigger(_, event, text) {
			if (event === 'request')
				setImmediate(() => controller.abort());
			else
				setImmediate(() => this.says('response',
					{ id: JSON.parse(text).id, result: 1, error: null }));
		},
	};
	assert.equal(await clientOf({ server }).call('f', {}, { timeout: LIMIT, signal }), 1);
	assert.ok(timers() <= before);
});

test('a refusal within a 200 says so in its headers', async () => {
	const server = {
		trigger: async () => new Response('{"error":"slow","code":429}',
			{ headers: AN_HOUR }),
	};
	await ends(clientOf({ server }).call('f', {}, { timeout: HALF_AN_HOUR }),
		'rate_limited', 'no');
});

test('a hub that says no for good holds up nothing', async () => {
	const [client, counter] = clientOfBusyHub(403, AN_HOUR);
	await ends(client.call('f', {}, { timeout: LIMIT }), 'hub_down', 'no');
	await ends(client.call('f', {}, { timeout: 100 }), 'deadline_exceeded', 'unknown');
	assert.ok(counter.n > 1);
});

test('a call may have more time than a timer of JavaScript has', async () => {
	const later = 50;	// milliseconds
	const client = clientOf({
		sees: (event, { id }, hub) => setTimeout(() =>
			hub.says('response', { id, result: 1, error: null }), later),
	});
	assert.equal(await client.call('f', {}, { timeout: 2 ** 33 }), 1);
});
