// SPDX-License-Identifier: MIT
// The official clients for Node, on one channel of a hub on loopback: what client.js, encrypted.js
// and presence.js share. Arguments: PORT APP_ID KEY SECRET_FILE CHANNEL [MASTER_KEY]; the packages
// are found in the folder that the program is started in.
'use strict';
const fs = require('fs');
const { createRequire } = require('module');
const need = createRequire(process.cwd() + '/');
const PusherServer = need('pusher');
const PusherClient = need('pusher-js');

const [port, appId, key, secretFile, channelName, masterKey] = process.argv.slice(2);
const secret = fs.readFileSync(secretFile, 'utf8').trim();
const server = new PusherServer({
	appId, key, secret, host: '127.0.0.1', port, useTLS: false,
	...(masterKey && { encryptionMasterKeyBase64: masterKey }),
});
// A client for which the part of an auth endpoint is played: on an encrypted channel that gives
// shared_secret too, the channel's key; on a presence channel the client is this user.
function member(user) {
	return new PusherClient(key, {
		cluster: 'none', wsHost: '127.0.0.1', wsPort: Number(port), forceTLS: false,
		enabledTransports: ['ws'], disableStats: true,
		channelAuthorization: {
			customHandler: ({ socketId, channelName: name }, done) =>
				done(null, server.authorizeChannel(socketId, name, user)),
		},
	});
}

// One line of JSON for each step.
function say(step, value) {
	process.stdout.write(JSON.stringify([step, value]) + '\n');
}

function fail(why) {
	say('error', String(why && why.message || JSON.stringify(why) || why));
	process.exit(1);
}

// A client on the channel; response(id): the response with this id, whenever it comes.
function listen() {
	const client = member();
	const channel = client.subscribe(channelName);

	return {
		client, channel,
		subscribed() {
			channel.bind('pusher:subscription_error', fail);
			return new Promise(resolve =>
				channel.bind('pusher:subscription_succeeded', resolve));
		},
		response: id => new Promise(resolve => channel.bind('response', record => {
			if (record.id === id)
				resolve(record);
		})),
	};
}

function run(main) {
	process.on('unhandledRejection', fail);
	main().then(() => say('end', null), fail);
}

module.exports = { server, member, listen, channelName, say, fail, run };
