// SPDX-License-Identifier: MIT
// 'chapi/remote' over a hub, and a provider at the gateway behind it ($CHAPI_SOCKET).
//
//   node remote.test.mjs PORT APP_ID KEY SECRET_FILE CHANNEL
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import test from 'node:test';

import * as chapi from 'chapi';
import { ChapiError, connectRemote, RemoteClient } from 'chapi/remote';

import { appKey, channel, newPusher, server } from './hub.mjs';
import { LIMIT, waitFor } from './gateway.mjs';

const pusher = newPusher();
let provider, byHttp, bySocket;
const runs = new Map(), held = new Set();

test.before(async () => {
	provider = await chapi.connect({ appKey });
	await provider.register('run', ({ key, value }) => {
		runs.set(key, (runs.get(key) ?? 0) + 1);
		return value ?? runs.get(key);
	});
	await provider.register('hold', async ({ key }) => {
		runs.set(key, (runs.get(key) ?? 0) + 1);
		await waitFor(() => !held.has(key));
		return runs.get(key);
	});
	await provider.register('fail',
		() => { throw Object.assign(new Error('jammed'), { code: 'jam' }); });
	await provider.register('count', async (_, { progress, signal }) => {
		progress('begun');
		await new Promise((_, reject) => signal.addEventListener('abort', () => {
			runs.set('cancelled', true);
			reject(signal.reason);
		}));
	});
	byHttp = await connectRemote({ pusher, server, channel, name: 'http' });
	const inWebPage = newPusher();
	bySocket = await connectRemote({ pusher: inWebPage, channel, name: 'web' });
});

test.after(() => {
	provider.close();
	byHttp.close();
	bySocket.close();
	setImmediate(() => process.exit());	// pusher-js keeps timers
});

async function fails(promise, code, ran, message = /./) {
	await assert.rejects(promise, e => {
		assert.ok(e instanceof ChapiError, e.stack);
		assert.deepEqual([e.code, e.ran], [code, ran], e.message);
		assert.match(e.message, message);
		return true;
	});
}

const value = {
	text: 'ü€😀', bytes: Uint8Array.of(0, 255), time: new Date('2026-03-01T12:34:56.789Z'),
	$key: [1, -2.5, null, true],
	number: 2 ** 40,
};

test('a gateway of another app is refused at once', async () => {
	await fails(chapi.connect({ appKey: 'of-another-app' }), 'failed_precondition', 'no');
});

for (const way of ['HTTP', 'the socket']) {
	const client = () => way === 'HTTP' ? byHttp : bySocket;

	test(`a call by ${way}, its values and its record`, async () => {
		assert.deepEqual(await client().call('chapi.echo', value), value);
		const record = await client()
			.call('run', { key: way }, { full: true, timeout: LIMIT });
		assert.deepEqual([record.api, record.result, record.error, record.gateway],
			['run', 1, null, provider.gateway.name]);
	});

	test(`errors by ${way}`, async () => {
		await fails(client().call('nobody'), 'api_not_found', 'no');
		await fails(client().call('fail'), 'api_error', 'yes', /jammed/);
		await fails(client().call('chapi.echo', { a: NaN }), 'invalid_argument', 'no',
			/params\.a: NaN/);
		await fails(client().call('chapi.echo', new Uint8Array(1 << 20)), 'too_large',
			'no');
	});

	test(`large values by ${way}`, async () => {
		const bytes = new Uint8Array(crypto.randomBytes(way === 'HTTP' ? 40000 : 12000));
		assert.deepEqual(await client().call('chapi.echo', { bytes }, { timeout: LIMIT }),
			{ bytes });
		const text = 'compressible '.repeat(5000);
		assert.equal(await client().call('chapi.echo', text, { timeout: LIMIT }), text);
	});

	test(`progress and cancel by ${way}`, async () => {
		runs.delete('cancelled');
		const controller = new AbortController();
		const call = client()
			.call('count', {}, { progress: true, signal: controller.signal,
				timeout: LIMIT });
		assert.deepEqual(await call.progress.next(), { value: 'begun', done: false });
		controller.abort();
		await fails(call, 'cancelled', 'unknown');
		await waitFor(() => runs.get('cancelled'));
	});
}

test('a repeat of an id does not run again', async () => {
	const ask = () => byHttp.call('run', { key: 'once' },
		{ id: 'the-same-id', full: true, timeout: LIMIT });
	assert.equal((await ask()).result, 1);
	const again = await ask();
	assert.deepEqual([again.result, again.cached, runs.get('once')], [1, true, 1]);
});

test('parts that come again say so, and are the same but for that', async () => {
	const sent = [];
	const spy = {
		trigger(to, event, data, options) {
			if (event === 'request-part')
				sent.push(JSON.parse(data));
			return server.trigger(to, event, data, options);
		},
	};
	const client = await connectRemote({ pusher, server: spy, channel });
	const { instance } =
		await client.call('run', { key: 'first' }, { full: true, timeout: LIMIT });
	const bytes = new Uint8Array(crypto.randomBytes(12000));
	await fails(client.call('count', { bytes }, { timeout: 2000 }), 'deadline_exceeded',
		'unknown');
	const [parts, again] = [sent.filter(p => !('retry' in p)), sent.filter(p => 'retry' in p)];
	assert.equal(parts.length, 2);
	assert.ok(again.every(p => p.retry_ms >= 1000), 'for how long the first has been out');
	assert.deepEqual(again, parts.map((p, i) => {
		const { retry_ms, timeout_ms } = again[i];
		return { ...p, retry: instance, retry_ms, timeout_ms };
	}));
	assert.ok(again.every(p => p.timeout_ms >= 1 && p.timeout_ms <= 1000), 'what is left');
});

test('parts say for which gateway they are', async () => {
	const sent = [];
	const spy = {
		trigger(to, event, data, options) {
			if (event === 'request-part')
				sent.push(data);
			return server.trigger(to, event, data, options);
		},
	};
	const client = await connectRemote({ pusher, server: spy, channel });
	const { gateway } = await client.call('run', { key: 'to' }, { full: true, timeout: LIMIT });
	const bytes = new Uint8Array(crypto.randomBytes(12000));
	const options = { to: gateway, timeout: LIMIT };
	assert.equal(await client.call('run', { key: 'parts to', bytes }, options), 1);
	assert.equal(sent.length, 2);
	assert.ok(sent.every(p => JSON.parse(p).to === gateway && p.length <= 10240 - 100));
});

/** A client whose hub says what `said` has, first to last, after it took an event (or not). */
async function doubtfulClient(said, takes) {
	const sent = [];
	const spy = {
		async trigger(to, event, data, options) {
			sent.push(JSON.parse(data));
			const failure = said.shift();
			if (failure === undefined || takes)
				await server.trigger(to, event, data, options);
			if (failure !== undefined)
				throw failure;
		},
	};
	return [await connectRemote({ pusher, server: spy, channel }), sent];
}

const trouble = (status, code) =>
	Object.assign(new Error('trouble'), { status, error: code && { code } });

const DOUBTS = [['502', trouble(502)], ['no answer', trouble(undefined, 'ECONNRESET')]];

for (const [what, failure] of DOUBTS)
	test(`in doubt (${what}) a request goes out again as a repeat`, async () => {
		const [client, sent] = await doubtfulClient([failure], true);
		const key = `doubt ${what}`, params = { key };
		held.add(key);
		const call = client.call('hold', params, { timeout: LIMIT });
		await waitFor(() => sent.length > 0);
		params.key = 'of the next call';
		await waitFor(() => sent.length === 2);
		held.delete(key);
		assert.equal(await call, 1);
		const [first, { retry, retry_ms: ms, timeout_ms: left, ...again }] = sent;
		assert.deepEqual(again, Object.fromEntries(Object.entries(first)
			.filter(([name]) => name !== 'timeout_ms')));
		assert.ok(!('retry' in first) && retry === '' && ms >= 1);
		assert.ok(left < first.timeout_ms);
	});

test('parts in doubt say from there on that they come again', async () => {
	const [client, sent] = await doubtfulClient([undefined, undefined, trouble(502)], true);
	const { instance } = await client.call('run', { key: 'x' }, { full: true, timeout: LIMIT });
	sent.length = 0;
	const bytes = new Uint8Array(crypto.randomBytes(16000));
	assert.equal(await client.call('run', { key: 'parts', bytes }, { timeout: LIMIT }), 1);
	assert.deepEqual(sent.map(p => [p.part, p.retry, p.retry_ms >= 1]),
		[[0, undefined, false], [1, undefined, false], [1, instance, true],
			[2, instance, true]]);
});

test('what the hub surely has not taken goes out again as it was', async () => {
	const [client, sent] = await doubtfulClient(
		[trouble(429), trouble(undefined, 'ECONNREFUSED')], false);
	assert.equal(await client.call('run', { key: 'sure' }, { timeout: LIMIT }), 1);
	assert.equal(sent.length, 3);
	assert.ok(sent.every(record => !('retry' in record)));
});

test('what stays in doubt may be answered, which is waited for', async () => {
	const spy = {
		async trigger(...event) {
			setTimeout(() => server.trigger(...event), 50);
			throw trouble(502);
		},
	};
	const client = await connectRemote({ pusher, server: spy, channel });
	const noMoreTries = 400;	// milliseconds
	assert.equal(await client.call('chapi.echo', 'late', { timeout: noMoreTries }), 'late');
});

test('what stays in doubt may have run', async () => {
	const [client] = await doubtfulClient(Array(9).fill(trouble(502)), false);
	await fails(client.call('run', { key: 'unknown' }, { timeout: 600 }),
		'hub_down', 'unknown');
	const [other] = await doubtfulClient([trouble(403)], false);
	await fails(other.call('run', { key: 'no' }, { timeout: LIMIT }), 'hub_down', 'no');
});

test('a repeat tells how long the machine slept, and a clock that is set ends no call', async t => {
	const now = Date.now, sent = [];
	const spy = {
		async trigger(to, event, data, options) {
			sent.push(JSON.parse(data));
			if (sent.length === 1) {
				t.mock.method(Date, 'now', () => now() + 3600000);
				throw trouble(502);
			}
			t.mock.restoreAll();	// a hub looks at the time
			await server.trigger(to, event, data, options);
		},
	};
	const client = await connectRemote({ pusher, server: spy, channel });
	await fails(client.call('run', { key: 'sleep' }, { timeout: LIMIT }), 'failed_precondition',
		'unknown');
	assert.ok(sent[1].retry_ms >= 3600000 && sent[1].timeout_ms > 1);
	assert.equal(runs.get('sleep'), undefined);
});

test('a call that takes too long is asked for again, and ends', async () => {
	await fails(byHttp.call('count', {}, { timeout: 100 }), 'deadline_exceeded', 'unknown');
});

test('who is not let into the channel is told so', async () => {
	const stranger = newPusher(false);
	await fails(connectRemote({ pusher: stranger, server, channel }), 'unauthenticated', 'no',
		/not you/);
	stranger.disconnect();
	assert.throws(() => new RemoteClient({ pusher, channel: 'public' }),
		{ code: 'failed_precondition' });
});

test('a wrong secret is told as what it is', async () => {
	const { default: PusherServer } = await import('pusher');
	const wrong = new PusherServer(
		{ ...server.config, appId: server.config.appId, key: appKey, secret: 'wrong',
		host: '127.0.0.1', port: server.config.port, useTLS: false });
	const client = await connectRemote({ pusher, server: wrong, channel });
	await fails(client.call('chapi.ping', {}, { timeout: LIMIT }), 'unauthenticated', 'no');
});
