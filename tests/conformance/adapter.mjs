// SPDX-License-Identifier: MIT
// clients/node as the conformance tests want it: does what it is told, a line of JSON each, and
// reports.
import { once } from 'node:events';
import readline from 'node:readline';

import { ChapiError, Client } from 'chapi';

import { fromJson, toJson } from '../node_modules/chapi/lib/json.js';

const CONNECT_TIMEOUT = 300;

let client = null;
let requests = [];		// {resolve, reject, progress}
let calls = new Map();		// tag -> AbortController

/** Each value by itself: together they would be deeper than a value may be. */
function report(what) {
	const members = Object.entries(what).map(([key, value]) => `"${key}":${toJson(value)}`);
	process.stdout.write(`{${members.join(',')}}\n`);
}

function outcome(tag, promise) {
	promise.then(result => report({ as: tag, result: result ?? null }), e => {
		if (!(e instanceof ChapiError))
			throw e;
		report({ as: tag, error: e.toRecord() });
	});
}

function serve(params, call) {
	return new Promise((resolve, reject) => {
		const number = requests.push({ resolve, reject, progress: call.progress });
		call.signal.addEventListener('abort', () => report({ cancelled: number }));
		report({ request: call.api, number, params });
	});
}

async function connect({ socket, app_key: appKey }) {
	client = new Client({ socket, appKey, connectTimeout: CONNECT_TIMEOUT });
	client.on('granted', name => report({ granted: name }));
	client.on('revoked', (name, reason) => report({ revoked: name, reason }));
	await client.ready({ timeout: 10000 });
	return true;
}

async function close() {
	client.close();
	requests = [];
	calls = new Map();
	return true;
}

function call({ as, api, params, timeout_ms: timeout, progress, oneway }) {
	const controller = new AbortController();
	calls.set(as, controller);
	return client.call(api, params, {
		timeout, oneway, signal: controller.signal,
		progress: progress ? value => report({ as, progress: value }) : undefined,
	});
}

function answer({ number, result, error }) {
	const request = requests[number - 1];
	if (error === undefined)
		request.resolve(result);
	else
		request.reject(new ChapiError(error.message, error));
}

async function reportEvents(events) {
	for await (const event of events)
		report({ event });
}

async function monitor({ kinds, apis, bodies }) {
	reportEvents(await client.monitor({ kinds, apis, bodies }));
}

// Each gives a promise of an outcome, or nothing.
const COMMANDS = {
	connect, close, call, answer,
	ready: () => client.ready({ timeout: 10000 }).then(() => true),
	lost: async () => !client.isConnected || Boolean(await once(client, 'disconnected')),
	cancel: ({ call: tag }) => calls.get(tag).abort(),
	progress: ({ number, value }) => requests[number - 1].progress(value),
	register: ({ name, options }) => client.register(name, serve, options),
	update: ({ name, options }) => client.update(name, options),
	unregister: ({ name }) => client.unregister(name),
	pause: ({ name }) => client.pause(name),
	resume: ({ name }) => client.resume(name),
	drain: ({ name }) => client.drain(name),
	list: ({ pattern }) => client.list(pattern),
	describe: ({ name }) => client.describe(name),
	status: () => client.status(),
	wait: ({ names }) => client.wait(names),
	publish: ({ channel, event, data }) => client.publish(channel, event, data),
	monitor,
};

readline.createInterface({ input: process.stdin }).on('line', line => {
	const command = fromJson(line);
	const promise = COMMANDS[command.do](command);
	if (command.as !== undefined)
		outcome(command.as, promise);
});
report({ ready: true });
