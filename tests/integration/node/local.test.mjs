// SPDX-License-Identifier: MIT
// clients/node against a real gateway, which these tests start, stop and start again.
//
//   node --test local.test.mjs     with CHAPI_GW, the path of the gateway
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import * as chapi from 'chapi';

import { Gateway, LIMIT, waitFor } from './gateway.mjs';

const gateway = new Gateway();
const clients = [];

async function connect(options = {}) {
	const client = await chapi.connect(
		{ socket: gateway.socket, connectTimeout: LIMIT, ...options });
	clients.push(client);
	return client;
}

/** Rejects: with that code and ran. */
async function fails(promise, code, ran, message = /./) {
	await assert.rejects(promise, e => {
		assert.ok(e instanceof chapi.ChapiError, e.stack);
		assert.deepEqual([e.code, e.ran], [code, ran], e.message);
		assert.match(e.message, message);
		return true;
	});
}

/** A handler that ends when it is cancelled, and a promise that it has begun. */
function endless() {
	let begun;
	const hasBegun = new Promise(resolve => { begun = resolve; });
	const handler = (_, { signal }) => new Promise((_, reject) => {
		begun(signal);
		signal.addEventListener('abort', () => reject(signal.reason));
	});
	return { handler, hasBegun };
}

test.before(() => gateway.start());
test.after(() => gateway.stop());
test.afterEach(() => { clients.splice(0).forEach(client => client.close()); });

test('connect says why there is no gateway', async () => {
	await fails(chapi.connect({ socket: '/nonexistent/gw.sock', connectTimeout: 50 }),
		'connection_lost', 'no', /no gateway at \/nonexistent\/gw.sock: .*ENOENT/);
});

test('the socket is looked up in the order of the manual', () => {
	const before = { ...process.env };
	try {
		process.env.CHAPI_SOCKET = '/by/environment';
		assert.equal(chapi.socketPath('/given'), '/given');
		assert.equal(chapi.socketPath(), '/by/environment');
		delete process.env.CHAPI_SOCKET;
		process.env.XDG_RUNTIME_DIR = '/nonexistent';
		assert.equal(chapi.socketPath(), '/run/chapi/gw.sock');
		const own = gateway.ownSocket();
		process.env.XDG_RUNTIME_DIR = gateway.folder;
		assert.equal(chapi.socketPath(), own);
	} finally {
		process.env = before;
	}
});

test('call, result, and what the handler sees of the call', async () => {
	const client = await connect();
	const granted = await client.register('add',
		({ a, b }, call) => [a + b, call.id, call.origin, call.caller],
		{ summary: 'adds', timeout: 2000 });
	assert.deepEqual([granted.name, granted.state, granted.timeout_ms],
		['add', 'active', 2000]);
	const uid = client.gateway.uid;
	assert.deepEqual(await client.call('add', { a: 1, b: 2 }, { id: 'mine' }),
		[3, 'mine', 'local', `uid:${uid}`]);
});

test('full gives the record, with the error in it', async () => {
	const client = await connect();
	const record = await client.call('chapi.echo', { a: 1 }, { full: true, id: 'x' });
	assert.deepEqual([record.id, record.result, record.error], ['x', { a: 1 }, null]);
	const failed = await client.call('nobody', {}, { full: true });
	assert.ok(failed.error instanceof chapi.ApiNotFound);
});

test('oneway resolves when it is handed over', async () => {
	const client = await connect();
	let seen;
	const heard = new Promise(resolve => { seen = resolve; });
	await client.register('note', (params, { meta }) => seen([params, meta.oneway]));
	assert.equal(await client.call('note', { a: 1 }, { oneway: true }), null);
	assert.deepEqual(await heard, [{ a: 1 }, true]);
});

test('values come back as they were', async () => {
	const client = await connect();
	const value = {
		integers: [0, -1, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32,
			2 ** 53 - 1, -(2 ** 31), -(2 ** 31) - 1,
			-(2 ** 53) + 1],
		wide: [2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n, -(2n ** 63n)],
		floats: [0.1, -1.5e300, 5e-324], text: ['', 'ü€😀', 'a\0b'], nothing: null,
		yes: [true, false],
		bytes: Uint8Array.of(0, 255, 128), time: new Date('2026-03-01T12:34:56.789Z'),
		$key: { '': [] },
	};
	const back = await client.call('chapi.echo', value);
	assert.deepEqual(back, value);
	assert.equal(back.bytes.constructor, Uint8Array);
	assert.deepEqual(await client.call('chapi.echo',
		{ gone: undefined, m: new Map([['k', 1n]]), b: Buffer.from('x') }),
		{ m: { k: 1 }, b: Uint8Array.of(0x78) });
	assert.ok(Number.isNaN((await client.call('chapi.echo', [NaN]))[0]));
});

test('a value without a form is refused, names its place, and costs nothing else', async () => {
	const client = await connect();
	let deep = [];
	for (let i = 0; i < 24; i++)
		deep = [deep];
	const loop = {};
	loop.self = loop;
	for (const [value, place] of [[{ a: [1, () => 1] }, /params\.a\[1\]/],
		[{ a: 2n ** 64n }, /64 bits/],
		[{ a: '\ud800' }, /surrogate/], [{ a: new Date(NaN) }, /no time/], [deep, /24/],
		[loop, /24/],
		[new Set(), /Set/], [Symbol('x'), /symbol/]])
		await fails(client.call('chapi.echo', value), 'invalid_argument', 'no', place);
	await client.register('odd', () => ({ f: () => 1 }));
	await fails(client.call('odd'), 'api_error', 'yes', /result\.f/);
	assert.deepEqual(await client.call('chapi.echo', [1]), [1]);
});

test('what a handler throws is what its caller is told', async () => {
	const client = await connect();
	const jammed = Object.assign(new Error('the door is jammed'), { code: 'jammed' });
	const thrown = [jammed, new TypeError('no number'), new chapi.InvalidArgument('angle'),
		new chapi.Busy('later'),
		new chapi.ChapiError('stuck', { code: 'own', details: { n: 3 } }), 'a string'];
	await client.register('fail', ({ i }) => { throw thrown[i]; });
	const seen = [];
	for (let i = 0; i < thrown.length; i++)
		seen.push(await client.call('fail', { i })
			.catch(e => [e.name, e.message, e.ran, e.details.code]));
	assert.deepEqual(seen, [
		['ApiError', 'the door is jammed', 'yes', 'jammed'],
		['ApiError', 'no number', 'yes', 'TypeError'],
		['InvalidArgument', 'angle', 'no', undefined], ['Busy', 'later', 'no', undefined],
		['ApiError', 'stuck', 'yes', 'own'], ['ApiError', 'a string', 'yes', 'error'],
	]);
});

test('progress as async iteration, and by a function', async () => {
	const client = await connect();
	await client.register('count', ({ n }, { progress }) => {
		for (let i = 0; i < n; i++)
			progress(i);
		if (n === 2)
			throw new Error('two is too many');
		return n;
	});
	const call = client.call('count', { n: 3 }, { progress: true });
	const seen = [];
	for await (const value of call.progress)
		seen.push(value);
	assert.deepEqual([seen, await call], [[0, 1, 2], 3]);
	const heard = [];
	assert.equal(await client.call('count', { n: 3 }, { progress: value => heard.push(value) }),
		3);
	assert.deepEqual(heard, [0, 1, 2]);
	const two = client.call('count', { n: 2 }, { progress: true });
	await fails((async () => { for await (const _ of two.progress); })(),
		'api_error', 'yes', /two/);
	assert.equal(await client.call('count', { n: 1 }), 1);
});

test('an aborted signal cancels the call and the handler', async () => {
	const client = await connect();
	const { handler, hasBegun } = endless();
	await client.register('endless', handler);
	const controller = new AbortController();
	const call = client.call('endless', {}, { signal: controller.signal });
	const signal = await hasBegun;
	controller.abort();
	await fails(call, 'cancelled', 'unknown');
	await waitFor(() => signal.aborted);
	await fails(client.call('endless', {}, { signal: controller.signal }), 'cancelled', 'no');
});

test('a call that takes too long, and its handler is told', async () => {
	const client = await connect();
	const { handler, hasBegun } = endless();
	await client.register('endless', handler);
	await fails(client.call('endless', {}, { timeout: 20 }), 'deadline_exceeded', 'unknown');
	await waitFor(async () => (await hasBegun).aborted);
	await fails(client.call('endless', {}, { timeout: 0 }), 'invalid_argument', 'no');
});

test('a wait may be longer than a timer of JavaScript', async () => {
	const client = await connect({ connectTimeout: Infinity });
	await client.register('later', () => sleep(50, 'in time'));
	assert.equal(await client.call('later', {}, { timeout: 2 ** 33 }), 'in time');
});

test('a thousand calls at once each get their own answer', async () => {
	const client = await connect();
	await client.register('later', async ({ i }) => {
		await sleep(i % 5);
		return i;
	});
	const numbers = [...Array(1000).keys()];
	assert.deepEqual(await Promise.all(
		numbers.map(i => client.call('later', { i }, { timeout: LIMIT }))
		.map(call => call.catch(e => e.code))), numbers);
});

test('large values, and those over the limits', async () => {
	const client = await connect();
	const large = new Uint8Array(3 << 20).fill(7);
	assert.deepEqual(await client.call('chapi.echo', large), large);
	await fails(client.call('chapi.echo', new Uint8Array(5 << 20)), 'too_large', 'no');
	await fails(client.call('chapi.echo', new Uint8Array(70 << 20)), 'too_large', 'no');
	await client.register('big', () => new Uint8Array(5 << 20));
	await fails(client.call('big'), 'too_large', 'yes');
	assert.equal(await client.call('chapi.echo', 1), 1);
});

test('update, pause, resume, drain, unregister', async () => {
	const provider = await connect();
	const caller = await connect();
	await provider.register('f', () => 'old');
	await fails(provider.register('f', () => 1), 'api_exists', 'no');
	assert.equal((await provider.update('f', { summary: 'new', concurrency: 1 })).summary,
		'new');
	await provider.pause('f');
	await fails(caller.call('f'), 'paused', 'no');
	await provider.resume('f');
	assert.equal(await caller.call('f'), 'old');
	await provider.drain('f', { timeout: LIMIT });
	await fails(caller.call('f'), 'paused', 'no');
	await provider.unregister('f');
	await fails(caller.call('f'), 'api_not_found', 'no');
	await fails(provider.update('f', {}), 'api_not_found', 'no');
});

test('list, describe, wait, status, stats, ask, publish without a hub', async () => {
	const client = await connect();
	const waiting = client.wait(['w.one', 'w.two'], { timeout: LIMIT });
	await client.register('w.one', () => 1, { summary: 'first' });
	await client.register('w.two', () => 2);
	await waiting;
	assert.deepEqual((await client.list('w.*')).map(api => api.name), ['w.one', 'w.two']);
	assert.equal((await client.describe('w.one')).summary, 'first');
	assert.equal((await client.status()).name, client.gateway.name);
	assert.equal(typeof await client.stats('w.one'), 'object');
	assert.equal(await client.ask('call', ['chapi.echo', 5]), 5);
	await fails(client.wait('never', { timeout: 20 }), 'deadline_exceeded', 'no');
	await fails(client.publish('private-x', 'e', {}), 'failed_precondition', 'no');
});

test('monitor as async iteration', async () => {
	const client = await connect();
	const events = await client.monitor(
		{ kinds: ['request', 'response'], apis: ['chapi.echo'], bodies: true });
	await client.call('chapi.echo', { a: 1 }, { id: 'watched' });
	const seen = [];
	for await (const event of events) {
		seen.push([event.kind, event.id]);
		if (seen.length === 2)
			break;
	}
	assert.deepEqual(seen, [['request', 'watched'], ['response', 'watched']]);
});

test('standby is granted, replaced is revoked', async () => {
	const first = await connect();
	const second = await connect();
	await first.register('s', () => 'first');
	assert.equal((await second.register('s', () => 'second', { policy: 'standby' })).state,
		'standby');
	const granted = once(second, 'granted');
	await first.unregister('s');
	assert.deepEqual(await granted, ['s']);
	const revoked = once(second, 'revoked');
	await first.register('s', () => 'third', { policy: 'replace' });
	assert.deepEqual(await revoked, ['s', 'replaced']);
	assert.equal(await second.call('s'), 'third');
});

test('a provider that goes leaves its callers provider_gone', async () => {
	const provider = await connect();
	const caller = await connect();
	const { handler, hasBegun } = endless();
	await provider.register('endless', handler);
	const failed = fails(caller.call('endless'), 'provider_gone', 'unknown');
	await hasBegun;
	provider.close();
	await failed;
});

test('the gateway is killed and comes again: names, pauses and monitors too', async () => {
	const client = await connect();
	const { handler, hasBegun } = endless();
	await client.register('endless', handler);
	await client.register('quiet', () => 1);
	await client.pause('quiet');
	const events = await client.monitor({ kinds: ['request'], apis: ['chapi.echo'] });
	const failed = fails(client.call('endless'), 'connection_lost', 'unknown');
	const signal = await hasBegun;
	const lost = once(client, 'disconnected');
	await gateway.kill();
	await failed;
	await lost;
	assert.ok(signal.aborted);
	await fails(client.call('endless', {}, { timeout: 30 }), 'connection_lost', 'no');
	const connected = once(client, 'connected');
	await gateway.start();
	await connected;
	assert.equal((await client.describe('endless')).state, 'active');
	await fails(client.call('quiet'), 'paused', 'no');
	await client.call('chapi.echo', {}, { id: 'again' });
	assert.equal((await events.next()).value.id, 'again');
});

test('a name that somebody else took meanwhile is asked for again', async () => {
	const client = await connect();
	await client.register('mine', () => 'mine');
	await gateway.kill();
	const refused = once(client, 'refused');
	const thief = chapi.connect({ socket: gateway.socket, connectTimeout: LIMIT });
	await gateway.start();
	const other = await thief;
	clients.push(other);
	const taken = await other.register('mine', () => 'theirs').catch(e => e.code);
	if (taken === 'api_exists')	// our client was quicker: nothing to see
		return;
	const [name, error] = await refused;
	assert.deepEqual([name, error.code], ['mine', 'api_exists']);
	const restored = once(client, 'restored');
	other.close();
	await restored;
	assert.equal(await client.call('mine'), 'mine');
});

test('a name that is given up while the gateway is away does not come back', async () => {
	const client = new chapi.Client({ socket: gateway.socket, connectTimeout: 50 });
	clients.push(client);
	await client.ready({ timeout: LIMIT });
	await client.register('mine', () => 'mine');
	await client.register('ours', () => 'ours');
	const disconnected = once(client, 'disconnected');
	await gateway.kill();
	await disconnected;
	await fails(client.unregister('mine'), 'connection_lost', 'no');
	const connected = once(client, 'connected');
	await gateway.start();
	await connected;
	assert.equal(await client.call('ours'), 'ours');
	await fails(client.call('mine'), 'api_not_found', 'no');
});

test('close ends what is under way, and says so', async () => {
	const client = await connect();
	const { handler, hasBegun } = endless();
	await client.register('endless', handler);
	const failed = fails(client.call('endless'), 'connection_lost', 'unknown');
	await hasBegun;
	client.close();
	await failed;
	await fails(client.call('chapi.ping'), 'connection_lost', 'no');
});
