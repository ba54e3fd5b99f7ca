// SPDX-License-Identifier: MIT
// The official clients for a hub that the tests name, in argv:
// PORT APP_ID KEY SECRET_FILE CHANNEL [MASTER_KEY].
import fs from 'node:fs';

import PusherServer from 'pusher';
import PusherClient from 'pusher-js';

const [port, appId, key, secretFile, channelName, masterKey] = process.argv.slice(2);

export const appKey = key;
export const channel = channelName;
const options = {
	appId, key, secret: fs.readFileSync(secretFile, 'utf8').trim(), host: '127.0.0.1', port,
	useTLS: false,
};
export const server = new PusherServer({ ...options, encryptionMasterKeyBase64: masterKey });
export const serverWithoutKey = new PusherServer(options);

/** A client of pusher-js; authorize false: it has nobody who lets it into private channels. */
export function newPusher(authorize = true, Client = PusherClient) {
	const customHandler = ({ socketId, channelName: name }, done) => authorize ?
		done(null, server.authorizeChannel(socketId, name))
			: done(new Error('not you'), null);

	return new Client(key, {
		cluster: 'none', wsHost: '127.0.0.1', wsPort: Number(port), forceTLS: false,
		enabledTransports: ['ws'], disableStats: true,
		channelAuthorization: { customHandler },
	});
}
