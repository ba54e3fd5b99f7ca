// SPDX-License-Identifier: MIT
// Keeps a connection to the local gateway: opens it, says hello, opens it again when it is gone.
import { Connection } from './connection.js';
import {
	Cancelled, ChapiError, ConnectionLost, FailedPrecondition, VersionMismatch,
} from './errors.js';
import { openSocket } from './socket.js';
import { after } from './timer.js';

const BACKOFF_LEAST = 50;	// milliseconds
const BACKOFF_MOST = 3000;

/**
 * hello: what is said of us. handlers: onUp(connection, hello's answer), awaited before anybody
 * else gets the connection; onDown(connection, error); onRequest(connection, request),
 * onNotification(connection, method, params).
 */
export class Link {
	#path;
	#hello;
	#handlers;
	#stop = () => {};	// ends what goes on: a wait, a connection
	#waiting = new Set();	// {resolve, reject}
	#refusal = null;	// why there will be no connection any more
	#whyNot = null;
	connection = null;

	constructor(path, hello, handlers) {
		this.#path = path;
		this.#hello = hello;
		this.#handlers = handlers;
	}

	get path() {
		return this.#path;
	}

	start() {
		this.#keep();
	}

	/** Ends the connection for good. */
	stop() {
		this.#refuse(new ConnectionLost('the connection was closed', { ran: 'no' }));
	}

	/**
	 * The connection, as soon as there is one. Rejects with ConnectionLost (ran: no) when none
	 * came within timeout milliseconds, Cancelled when signal aborts.
	 */
	async wait(timeout, signal) {
		if (this.#refusal !== null)
			throw this.#refusal;
		if (signal?.aborted)
			throw new Cancelled('the call was cancelled before it was sent',
				{ ran: 'no' });
		return this.connection ?? this.#waitFor(timeout, signal);
	}

	#waitFor(timeout, signal) {
		let waiting, timer, abort;
		return new Promise((resolve, reject) => {
			waiting = { resolve, reject };
			this.#waiting.add(waiting);
			abort = () => reject(
				new Cancelled('the call was cancelled before it was sent',
					{ ran: 'no' }));
			signal?.addEventListener('abort', abort);
			timer = after(timeout, () => reject(this.#whyNot ??
				new ConnectionLost(`no gateway at ${this.#path}`, { ran: 'no' })));
		}).finally(() => {
			clearTimeout(timer);
			this.#waiting.delete(waiting);
			signal?.removeEventListener('abort', abort);
		});
	}

	async #keep() {
		let delay = BACKOFF_LEAST;
		while (this.#refusal === null) {
			try {
				await this.#live();
				delay = BACKOFF_LEAST;
			} catch (e) {
				this.#missed(e);
			}
			await this.#pause(delay * (0.5 + Math.random() / 2));
			delay = Math.min(delay * 2, BACKOFF_MOST);
		}
	}

	async #pause(ms) {
		if (this.#refusal !== null)
			return;
		await new Promise(resolve => {
			const timer = setTimeout(resolve, ms);
			this.#stop = () => { clearTimeout(timer); resolve(); };
		});
	}

	/** The connection did not come up. */
	#missed(error) {
		if (error instanceof FailedPrecondition || error instanceof VersionMismatch)
			return this.#refuse(error);
		const message = error instanceof ChapiError ? error.message : String(error);
		this.#whyNot = new ConnectionLost(message, { ran: 'no', cause: error });
	}

	/** The life of one connection; rejects with what kept it from coming up. */
	async #live() {
		const socket = await openSocket(this.#path);
		const handlers = this.#handlers;
		let connection;
		const ended = new Promise(resolve => {
			connection = new Connection(socket, {
				onRequest: request => handlers.onRequest(connection, request),
				onNotification: (method, params) =>
					handlers.onNotification(connection, method, params),
				onEnd: error => { this.connection = null; resolve(error); },
			});
		});
		try {
			await this.#comeUp(connection);
		} catch (e) {
			connection.close();
			throw e;
		}
		handlers.onDown(connection, await ended);
	}

	async #comeUp(connection) {
		this.#stop = () => connection.close();
		if (this.#refusal !== null)
			throw this.#refusal;
		const answer = await connection.request('hello', [this.#hello]).answer;
		connection.maxMessage = answer?.limits?.max_message ?? connection.maxMessage;
		await this.#handlers.onUp(connection, answer);
		if (!connection.isOpen)
			throw new ConnectionLost('the gateway went away', { ran: 'no' });
		this.connection = connection;
		this.#whyNot = null;
		for (const { resolve } of this.#waiting)
			resolve(connection);
	}

	#refuse(error) {
		this.#refusal ??= error;
		for (const { reject } of this.#waiting)
			reject(this.#refusal);
		this.#stop();
	}
}
