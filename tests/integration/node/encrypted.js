// SPDX-License-Identifier: MIT
// The official clients for Node on an encrypted channel: pusher publishes a request, pusher-js, whose
// auth endpoint is played here, reads the response; then a large one, whose answer comes in parts.
//
//   encrypted.js PORT APP_ID KEY SECRET_FILE CHANNEL MASTER_KEY
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const zlib = require('zlib');
const { createRequire } = require('module');
const need = createRequire(process.cwd() + '/');
const PusherServer = need('pusher');
const PusherClient = need('pusher-js');

const [port, appId, key, secretFile, channelName, masterKey] = process.argv.slice(2);
const secret = fs.readFileSync(secretFile, 'utf8').trim();
const server = new PusherServer({
	appId, key, secret, host: '127.0.0.1', port, useTLS: false, encryptionMasterKeyBase64: masterKey,
});
const client = new PusherClient(key, {
	cluster: 'none', wsHost: '127.0.0.1', wsPort: Number(port), forceTLS: false, enabledTransports: ['ws'],
	disableStats: true,
	channelAuthorization: {
		// With shared_secret, which is the channel's key.
		customHandler: ({ socketId, channelName: name }, done) => done(null, server.authorizeChannel(socketId, name)),
	},
});

function say(step, value) {
	process.stdout.write(JSON.stringify([step, value]) + '\n');
}

function fail(why) {
	say('error', String(why && why.message || JSON.stringify(why) || why));
	process.exit(1);
}

const channel = client.subscribe(channelName);

function answered(id) {
	return new Promise(resolve => channel.bind('response', record => {
		if (record.id === id)
			resolve(record);
	}));
}

function answeredInParts(id) {
	const parts = new Map();

	return new Promise(resolve => channel.bind('response-part', part => {
		if (part.id !== id)
			return;
		parts.set(part.part, Buffer.from(part.data, 'base64'));
		if (parts.size < part.parts)
			return;
		const data = Buffer.concat([...parts.keys()].sort((a, b) => a - b).map(i => parts.get(i)));
		const text = part.encoding === 'zlib' ? zlib.inflateSync(data) : data;
		if (crypto.createHash('sha256').update(text).digest('base64') !== part.sha256)
			fail('the parts are not what sha256 says');
		resolve(JSON.parse(text));
	}));
}

async function sendInParts(record) {
	const text = Buffer.from(JSON.stringify(record));
	const sha256 = crypto.createHash('sha256').update(text).digest('base64');
	const n = Math.ceil(text.length / 4500);

	for (let i = 0; i < n; i++)
		await server.trigger(channelName, 'request-part', {
			id: record.id, part: i, parts: n, sha256, encoding: 'json',
			data: text.subarray(4500 * i, 4500 * (i + 1)).toString('base64'),
		});
}

async function main() {
	channel.bind('pusher:subscription_error', fail);
	await new Promise(resolve => channel.bind('pusher:subscription_succeeded', resolve));

	let answer = answered('by-http');
	await server.trigger(channelName, 'request', { id: 'by-http', api: 'chapi.echo', params: { secret: 'Zürich' } });
	say('call', (await answer).result);

	const value = crypto.randomBytes(15000).toString('base64');
	answer = answeredInParts('large');
	await sendInParts({ id: 'large', api: 'chapi.echo', params: value });
	const result = (await answer).result;
	say('large', result === value ? result.length : 'another value');
	client.disconnect();
}

process.on('unhandledRejection', fail);
main().then(() => say('end', null), fail);
