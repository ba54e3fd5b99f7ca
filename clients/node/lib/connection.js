// SPDX-License-Identifier: MIT
// One connection to the local gateway: MessagePack-RPC over a Unix socket. Knows nothing of calls
// or names: what a message is about is for `client` and `service`. A connection that ended stays
// ended: `link` makes the next one.
import { BadReply, Busy, ChapiError, ConnectionLost, InvalidArgument, TooLarge } from './errors.js';
import { elements, Frames, isArray } from './frame.js';
import { pack, prepare, unpack } from './values.js';

const REQUEST = 0;
const RESPONSE = 1;
const NOTIFICATION = 2;

const QUEUED_MAX = 64 << 20;		// bytes that wait to be sent: beyond, no new request
const QUEUED_PROGRESS_MAX = 1 << 20;	// beyond, progress gives way
const OVERSIZE = 16;			// a message so many times max_message ends the connection
const MAX_MESSAGE = 4 << 20;		// until the gateway has said what it is

/** One line, which a gateway that takes no more connections writes in place of a message. */
function readRefusal(chunk) {
	try {
		return ChapiError.fromRecord(JSON.parse(chunk.toString('utf8'))[2]);
	} catch {
		return new ConnectionLost('the gateway sent what is no message', { ran: 'no' });
	}
}

/** The parts of a message, up to one that JavaScript cannot hold, and why not. */
function readMessage(bytes) {
	try {
		return { parts: unpack(bytes) };
	} catch {
		return readParts(bytes);
	}
}

function readParts(bytes) {
	const parts = [];
	for (const element of elements(bytes)) {
		try {
			parts.push(unpack(element));
		} catch (e) {
			return { parts, problem: e.message };
		}
	}
	return { parts };
}

/**
 * handlers: onRequest({number, name, params, meta, problem}), onNotification(method, params),
 * onEnd(error), each called from the event loop; onEnd once.
 */
export class Connection {
	#socket;
	#handlers;
	#frames = new Frames();
	#asked = new Map();	// number -> {resolve, reject, onProgress, isSent}
	#lastNumber = 0;
	#hasHeard = false;
	#why = null;
	maxMessage = MAX_MESSAGE;

	constructor(socket, handlers) {
		this.#socket = socket;
		this.#handlers = handlers;
		socket.on('data', chunk => this.#hear(chunk));
		socket.on('error', e => {
			this.#why ??= new ConnectionLost(`the gateway went away: ${e.message}`);
		});
		socket.on('close', () => this.#end());
	}

	get isOpen() {
		return !this.#socket.destroyed && this.#socket.writable;
	}

	/** Ends it; what waits to be sent goes out if the gateway takes it. */
	close() {
		this.#why ??= new ConnectionLost('the connection was closed');
		this.#socket.destroySoon();
	}

	// -- sending

	/**
	 * Asks; returns {number, answer}, a promise of the result, which rejects with the error
	 * answered or with ConnectionLost. Throws, when nothing was sent, InvalidArgument,
	 * TooLarge, Busy, ConnectionLost.
	 */
	request(method, params, onProgress) {
		const number = this.#nextNumber();
		const bytes = this.#packRequest(number, method, params);
		const asked = { onProgress, isSent: false };
		const answer = new Promise((resolve, reject) =>
			Object.assign(asked, { resolve, reject }));
		this.#asked.set(number, asked);
		this.#socket.write(bytes, failure => { asked.isSent = !failure; });
		return { number, answer };
	}

	#packRequest(number, method, params) {
		if (!this.isOpen)
			throw new ConnectionLost('the connection to the gateway has ended',
				{ ran: 'no' });
		if (this.#socket.writableLength > QUEUED_MAX)
			throw new Busy('too much waits to be sent to the gateway',
				{ details: { retry_after_ms: 100 } });
		let bytes;
		try {
			bytes = pack([REQUEST, number, method,
				params.map((p, i) => prepare(p, i === 0 ? 'name' : 'params'))]);
		} catch (e) {
			throw new InvalidArgument(e.message, { cause: e });
		}
		if (bytes.length > OVERSIZE * this.maxMessage)
			throw new TooLarge(`a request of ${bytes.length} bytes; ` +
				`the gateway takes ${this.maxMessage}`,
				{ details: { size: bytes.length, limit: this.maxMessage } });
		return bytes;
	}

	/** Answers a request; a result that has no form becomes an error. */
	answer(number, error, result) {
		if (!this.isOpen)
			return;
		let bytes = this.#packAnswer(number, error, result);
		if (bytes.length > OVERSIZE * this.maxMessage)
			bytes = this.#packAnswer(number,
				{ code: 'too_large',
					message: `an answer of ${bytes.length} bytes` }, null);
		this.#socket.write(bytes);
	}

	#packAnswer(number, error, result) {
		try {
			return pack([RESPONSE, number, prepare(error, 'error'),
				prepare(result, 'result')]);
		} catch (e) {
			return pack([RESPONSE, number, { code: 'bad_reply', message: e.message },
				null]);
		}
	}

	/** Throws TypeError for values that have no form. */
	notify(method, params) {
		if (this.isOpen)
			this.#socket.write(pack(
				[NOTIFICATION, method, params.map(p => prepare(p, method))]));
	}

	/** As notify('progress', ...), but gives way when the gateway reads slowly. */
	notifyProgress(number, value) {
		if (this.#socket.writableLength <= QUEUED_PROGRESS_MAX)
			this.notify('progress', [number, value]);
	}

	#nextNumber() {
		do
			this.#lastNumber = (this.#lastNumber + 1) % 0x100000000;
		while (this.#asked.has(this.#lastNumber));
		return this.#lastNumber;
	}

	// -- receiving

	#hear(chunk) {
		if (!this.#hasHeard && !isArray(chunk[0]))
			return this.#fail(readRefusal(chunk));
		this.#hasHeard = true;
		let messages;
		try {
			messages = this.#frames.feed(chunk);
		} catch (e) {
			return this.#fail(new ConnectionLost(`the gateway sent ${e.message}`));
		}
		for (const message of messages)
			this.#take(readMessage(message));
	}

	#fail(error) {
		this.#why ??= error;
		this.#socket.destroy();
	}

	#end() {
		const lost = this.#why ?? new ConnectionLost('the gateway went away');
		const asked = [...this.#asked.values()];
		this.#asked.clear();
		for (const each of asked)
			each.reject(new ConnectionLost(lost.message,
				{ ran: each.isSent ? 'unknown' : 'no', cause: lost }));
		this.#handlers.onEnd(lost);
	}

	#take({ parts, problem }) {
		if (!Array.isArray(parts))
			return;
		if (parts[0] === RESPONSE && parts.length >= 2)
			this.#takeResponse(parts, problem);
		else if (parts[0] === REQUEST && parts.length >= 3)
			this.#takeRequest(parts, problem);
		else if (parts[0] === NOTIFICATION && Array.isArray(parts[2]))
			this.#takeNotification(parts[1], parts[2]);
	}

	#takeResponse([, number, error, result], problem) {
		const asked = this.#asked.get(number);
		if (asked === undefined)
			return;
		this.#asked.delete(number);
		if (problem !== undefined)
			asked.reject(new BadReply(
				`an answer that JavaScript cannot hold: ${problem}`));
		else if (error !== null && error !== undefined)
			asked.reject(ChapiError.fromRecord(error));
		else
			asked.resolve(result);
	}

	#takeRequest([, number, name, given], problem) {
		const [params, meta] = Array.isArray(given) ? given : [];
		this.#handlers.onRequest({ number, name, params, meta: meta ?? {}, problem });
	}

	#takeNotification(method, params) {
		if (method !== 'progress')
			this.#handlers.onNotification(method, params);
		else
			this.#asked.get(params[0])?.onProgress?.(params[1]);
	}
}
