// SPDX-License-Identifier: MIT
// Where the gateway of this machine listens, and how one connects to it.
import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

import { ConnectionLost } from './errors.js';

/**
 * The argument, else $CHAPI_SOCKET, else $XDG_RUNTIME_DIR/chapi/gw.sock if it exists, else
 * /run/chapi/gw.sock.
 */
export function socketPath(given) {
	const path_ = given || process.env.CHAPI_SOCKET;
	if (path_)
		return path_;
	const own = path.join(process.env.XDG_RUNTIME_DIR || '/nonexistent', 'chapi', 'gw.sock');
	return existsSync(own) ? own : '/run/chapi/gw.sock';
}

/** A connected socket. Rejects with ConnectionLost (ran: no) that says why not. */
export function openSocket(at) {
	return new Promise((resolve, reject) => {
		const socket = net.createConnection({ path: at });
		socket.once('connect', () => {
			socket.removeAllListeners('error');
			resolve(socket);
		});
		socket.once('error', cause => reject(new ConnectionLost(
			`no gateway at ${at}: ${cause.message}`, { ran: 'no', cause })));
	});
}
