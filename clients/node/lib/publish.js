// SPDX-License-Identifier: MIT
// Publishing through the hub's HTTP API, by the official client that the program made, and what
// refusals mean. When something goes out again is remote.js, when the hub wants it pause.js.
import { FailedPrecondition, HubDown, RateLimited, TooLarge, Unauthenticated } from './errors.js';
import { headersOf, Pause, Refusals, retryAfter } from './pause.js';
import { sleepLightly } from './timer.js';

/** The hub has said no, and does so again. */
export function isFinal(e) {
	return e?.status >= 400 && e.status < 500 && e.status !== 408 && e.status !== 429;
}

/** What the client for Node had to do with: who was never reached has not taken anything. */
const UNSENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'];

/** Likewise; but a connection that was there can break with these codes, too. */
const UNREACHED = /connect (ENETUNREACH|EHOSTUNREACH)/;

/** May the hub have taken it all the same? */
export function isDoubtful(e) {
	return !isFinal(e) && e?.status !== 429 && !UNSENT.includes(e?.error?.code) &&
		!UNREACHED.test(e?.error?.message);
}

const CLASSES = { 401: Unauthenticated, 413: TooLarge, 429: RateLimited };
const classOf = status => CLASSES[status] ?? HubDown;

const reason = e => `the hub does not take the event: ${e?.message ?? e}` +
	(e?.body ? ` (${e.body})` : '');

/** What a call ends with for what trigger() rejected with. */
export function publishFailure(e, ran) {
	const ms = e?.retryAfter, Class = classOf(e?.status);
	if (ms === undefined)
		return new Class(reason(e), { ran, cause: e });
	return new Class(`${reason(e)}; it wants the next one in ${ms} ms`,
		{ ran, details: { retry_after_ms: ms }, cause: e });
}

export class Publishing {
	#server;
	#connection;
	#channel;
	#isEncrypted;
	#pause = new Pause();
	#refusals = new Refusals();

	/** server: a client of pusher. connection: of pusher-js, does not get what is published. */
	constructor(server, connection, channel, isEncrypted) {
		this.#server = server;
		this.#connection = connection;
		this.#channel = channel;
		this.#isEncrypted = isEncrypted;
	}

	close() {
		this.#refusals.close();
	}

	/** Milliseconds until the hub wants events; 0: it does now. */
	get pause() {
		return this.#pause.left;
	}

	/**
	 * Publishes one event, once the hub wants it. write gives it, [name, JSON text], or null if
	 * it is of no use any more. left: milliseconds until then. Rejects with what the official
	 * client does, or with {status, message}, retryAfter (milliseconds) added; and with a
	 * ChapiError (ran: no) if nothing was sent.
	 */
	async publish(write, left) {
		const end = performance.now() + left;
		while (this.#pause.left > 0) {
			if (performance.now() + this.#pause.left > end)
				throw this.#pause.refusal();
			await sleepLightly(this.#pause.left);
		}
		const event = write();
		if (event !== null)
			await this.#trigger(...event);
	}

	/** Some servers write a refusal into a 200. */
	async #trigger(event, text) {
		const data = this.#isEncrypted ? JSON.parse(text) : text;
		const response = await this.#begin(event, data).catch(e =>
			this.#refuse(e, headersOf(e?.headers ?? this.#refusals.take(e?.url))));
		const said = await response?.json?.().catch(() => null);
		if (said?.error)
			this.#refuse(Object.assign(new Error(said.error), { status: said.code }),
				headersOf(response.headers));
	}

	/** What `pusher` throws at once is about how it was made: it has no key for the channel. */
	async #begin(event, data) {
		try {
			return this.#server.trigger(this.#channel, event, data,
				{ socket_id: this.#connection.socket_id });
		} catch (e) {
			throw new FailedPrecondition(
				`nothing can be published on ${this.#channel}: ${e.message}`,
				{ cause: e });
		}
	}

	/** Throws e; what it says of the next event holds for all. */
	#refuse(e, headers) {
		const ms = isFinal(e) ? 0 : retryAfter(headers);
		this.#pause.begin(ms, classOf(e?.status), reason(e));
		throw ms > 0 ? Object.assign(e, { retryAfter: ms }) : e;
	}
}
