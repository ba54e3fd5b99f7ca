// SPDX-License-Identifier: MIT
// The official clients for Node against a hub and a gateway: pusher publishes a request, pusher-js
// hears the response; then pusher-js sends the request itself. One line of JSON for each step.
//
//   client.js PORT APP_ID KEY SECRET_FILE CHANNEL
'use strict';
const fs = require('fs');
const { createRequire } = require('module');
const need = createRequire(process.cwd() + '/');
const PusherServer = need('pusher');
const PusherClient = need('pusher-js');

const [port, appId, key, secretFile, channelName] = process.argv.slice(2);
const secret = fs.readFileSync(secretFile, 'utf8').trim();
const server = new PusherServer({ appId, key, secret, host: '127.0.0.1', port, useTLS: false });
const client = new PusherClient(key, {
	cluster: 'none', wsHost: '127.0.0.1', wsPort: Number(port), forceTLS: false, enabledTransports: ['ws'],
	disableStats: true,
	channelAuthorization: {
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

function response(id) {
	return new Promise(resolve => channel.bind('response', record => {
		if (record.id === id)
			resolve(record);
	}));
}

function event(emitter, name) {
	return new Promise(resolve => emitter.bind(name, resolve));
}

async function main() {
	channel.bind('pusher:subscription_error', fail);
	await event(channel, 'pusher:subscription_succeeded');
	say('subscribed', client.connection.socket_id);

	let answer = response('by-http');
	let status = (await server.trigger(channelName, 'request', { id: 'by-http', api: 'chapi.echo', params: { a: 'ü' } })).status;
	say('http', [status, (await answer).result]);

	answer = response('by-batch');
	status = (await server.triggerBatch([
		{ channel: channelName, name: 'request', data: { id: 'by-batch', api: 'chapi.echo', params: { a: 2 } } },
		{ channel: channelName, name: 'news', data: 'x' },
	])).status;
	say('batch', [status, (await answer).result]);

	answer = response('by-socket');
	channel.trigger('client-request', { id: 'by-socket', api: 'chapi.echo', params: { a: 3 } });
	say('socket', (await answer).result);

	const listed = await server.get({ path: '/channels', params: { filter_by_prefix: channelName } });
	say('channels', Object.keys((await listed.json()).channels));

	client.disconnect();
}

process.on('unhandledRejection', fail);
main().then(() => say('end', null), fail);
