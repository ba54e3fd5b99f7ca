// SPDX-License-Identifier: MIT
// The official clients for Node against a hub and a gateway: pusher publishes a request, pusher-js
// hears the response; then pusher-js sends the request itself. One line of JSON for each step.
//
//   client.js PORT APP_ID KEY SECRET_FILE CHANNEL
'use strict';
const { server, listen, channelName, say, run } = require('./official.js');

const { client, channel, subscribed, response } = listen();

async function main() {
	await subscribed();
	say('subscribed', client.connection.socket_id);

	let answer = response('by-http');
	let status = (await server.trigger(channelName, 'request',
		{ id: 'by-http', api: 'chapi.echo', params: { a: 'ü' } })).status;
	say('http', [status, (await answer).result]);

	answer = response('by-batch');
	status = (await server.triggerBatch([
		{ channel: channelName, name: 'request',
			data: { id: 'by-batch', api: 'chapi.echo', params: { a: 2 } } },
		{ channel: channelName, name: 'news', data: 'x' },
	])).status;
	say('batch', [status, (await answer).result]);

	answer = response('by-socket');
	channel.trigger('client-request', { id: 'by-socket', api: 'chapi.echo', params: { a: 3 } });
	say('socket', (await answer).result);

	const listed = await server.get(
		{ path: '/channels', params: { filter_by_prefix: channelName } });
	say('channels', Object.keys((await listed.json()).channels));

	client.disconnect();
}

run(main);
