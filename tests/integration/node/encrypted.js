// SPDX-License-Identifier: MIT
// The official clients for Node on an encrypted channel: pusher publishes a request, pusher-js,
// whose auth endpoint is played here, reads the response; then a large one, whose answer comes in
// parts.
//
//   encrypted.js PORT APP_ID KEY SECRET_FILE CHANNEL MASTER_KEY
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');
const { server, listen, channelName, say, fail, run } = require('./official.js');

const { client, channel, subscribed, response } = listen();

function answeredInParts(id) {
	const parts = new Map();

	return new Promise(resolve => channel.bind('response-part', part => {
		if (part.id !== id)
			return;
		parts.set(part.part, Buffer.from(part.data, 'base64'));
		if (parts.size < part.parts)
			return;
		const data = Buffer.concat([...parts.keys()].sort((a, b) => a - b)
			.map(i => parts.get(i)));
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
	await subscribed();

	let answer = response('by-http');
	await server.trigger(channelName, 'request',
		{ id: 'by-http', api: 'chapi.echo', params: { secret: 'Zürich' } });
	say('call', (await answer).result);

	const value = crypto.randomBytes(15000).toString('base64');
	answer = answeredInParts('large');
	await sendInParts({ id: 'large', api: 'chapi.echo', params: value });
	const result = (await answer).result;
	say('large', result === value ? result.length : 'another value');
	client.disconnect();
}

run(main);
