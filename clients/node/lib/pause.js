// SPDX-License-Identifier: MIT
// When a hub that does not take an event wants the next one: Retry-After, of HTTP. It holds for
// all that a client publishes. Times are in milliseconds. Runs in web pages too.
import { HubDown } from './errors.js';

const MOST = 86400000;		// a hub that says more is not believed
const HEARD_MAX = 64;
const ANSWERED = 'http.client.response.finish';

/** Of a date of HTTP, which begins with a day's name; Date.parse() reads much else as one. */
const dateOf = text => /^[a-z]/i.test(text) ? Date.parse(text) : NaN;

/**
 * Milliseconds until the next try, a day at most; 0: at once, or the headers do not say. headers:
 * an object with names in lower case. A date counts by the hub's own clock, if it says what that
 * shows.
 */
export function retryAfter({ 'retry-after': text, date } = {}) {
	const said = String(text ?? '').trim();
	const ms = /^\d+$/.test(said) ? Number(said) * 1000
		: dateOf(said) - (dateOf(date) || Date.now());
	return Math.min(Math.max(ms || 0, 0), MOST);
}

/** As retryAfter() takes them, from Headers or from such an object; undefined: {}. */
export function headersOf(headers) {
	return typeof headers?.get === 'function' ?
		{ 'retry-after': headers.get('retry-after'), date: headers.get('date') }
		: headers ?? {};
}

/** Until when nothing is published, and why. */
export class Pause {
	#end = 0;
	#why = '';
	#Class = HubDown;

	/** One that lasts longer already stays. Class: of errors; why: what the hub said. */
	begin(ms, Class, why) {
		if (ms <= this.left)
			return;
		this.#end = performance.now() + ms;
		this.#Class = Class;
		this.#why = why;
	}

	/** Milliseconds; 0: there is none. */
	get left() {
		return Math.max(this.#end - performance.now(), 0);
	}

	/** For what cannot wait until its end, and was not sent. */
	refusal() {
		const ms = Math.ceil(this.left);
		return new this.#Class(
			`not sent, as the hub takes nothing for another ${ms} ms: ${this.#why}`,
			{ ran: 'no', details: { retry_after_ms: ms } });
	}
}

const queryOf = target => target.slice(target.indexOf('?') + 1);

/**
 * What hubs say beside a refusal. The official client for Node keeps it to itself, so it is heard
 * where Node tells of its HTTP (from 20.16 on; elsewhere nothing is heard).
 */
export class Refusals {
	#headers = new Map();	// by the request's query, which its signature makes unique
	#node = globalThis.process?.getBuiltinModule?.('node:diagnostics_channel');
	#listen = ({ request, response }) => {
		if (response.statusCode < 400 || !request.path.includes('auth_signature='))
			return;
		this.#headers.set(queryOf(request.path), response.headers);
		if (this.#headers.size > HEARD_MAX)
			this.#headers.delete(this.#headers.keys().next().value);
	};

	constructor() {
		this.#node?.subscribe(ANSWERED, this.#listen);
	}

	close() {
		this.#node?.unsubscribe(ANSWERED, this.#listen);
	}

	/** The headers of the answer to a request to this URL, once; undefined: not heard. */
	take(url) {
		const query = queryOf(String(url)), headers = this.#headers.get(query);
		this.#headers.delete(query);
		return headers;
	}
}
