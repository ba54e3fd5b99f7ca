// SPDX-License-Identifier: MIT
// A request to a gateway as it goes over the hub: the first time as it is, then as a repeat, which
// says so and for how long the first one has been out. What is said of time is written when it is
// sent. How it is published, and when again, is remote.js. Runs in web pages too.
import { InvalidArgument, TooLarge } from './errors.js';
import { isRoundedByOthers, toJson } from './json.js';
import { AGAIN_MAX, partAgain, RECORD_MAX, split } from './parts.js';

/**
 * Milliseconds since it was made, at least 1. The even clock stands still while the machine sleeps,
 * and the other one may be set: the one that shows more counts.
 */
class Since {
	#even = performance.now();
	#date = Date.now();

	/** By the even clock. */
	get awake() {
		return performance.now() - this.#even;
	}

	get most() {
		return Math.ceil(Math.max(this.awake, Date.now() - this.#date, 1));
	}
}

function asJson(value, name) {
	try {
		return toJson(value, name);
	} catch (e) {
		throw new InvalidArgument(e.message.replace('request.', ''), { cause: e });
	}
}

/** params: JSON text. */
function textOf(head, params) {
	return `${asJson(head, 'request').slice(0, -1)},"params":${params}}`;
}

function checkedSize(text) {
	const size = new TextEncoder().encode(text).length;
	if (size > RECORD_MAX)
		throw new TooLarge(
			`a request of ${size} bytes; at most ${RECORD_MAX} go over a hub`,
			{ details: { size, limit: RECORD_MAX } });
	return size;
}

export class Request {
	#head;			// all but params
	#params;		// JSON text: as they were when the call was made
	#parts;			// texts; null: it goes whole
	#made = new Since();
	#begun = null;
	#instance = '';

	constructor(head, params, parts) {
		this.#head = head;
		this.#params = params;
		this.#parts = parts;
	}

	/**
	 * most: bytes of an event's text. sendsValues: the official client makes JSON of it itself,
	 * so numbers that it would round go in parts. Rejects with InvalidArgument or TooLarge.
	 */
	static async make({ params: value, ...head }, most, sendsValues) {
		const params = asJson(value, 'params'), text = textOf(head, params);
		const goesWhole = checkedSize(text) + AGAIN_MAX <= most &&
			!(sendsValues && isRoundedByOthers(text));
		const parts = goesWhole ? null : await split(head.id, text, most, head.to);
		return new Request(head, params, parts);
	}

	/**
	 * It goes out for the first time. instance: of the gateway that it goes to, as far as
	 * known: one that was started since must not run it.
	 */
	begin(instance) {
		this.#begun = new Since();
		this.#instance = instance;
	}

	/** Milliseconds until its time is over. */
	get left() {
		return this.#head.timeout_ms - this.#made.awake;
	}

	/** Events. */
	get n() {
		return this.#parts?.length ?? 1;
	}

	/**
	 * The i-th event as it is now: [name, JSON text]. Parts come again with the same slices, so
	 * that those of both times make up for each other.
	 */
	event(i, isRepeat) {
		if (this.#parts !== null)
			return ['request-part', isRepeat ? partAgain(this.#parts[i], this.#again)
				: this.#parts[i]];
		return ['request', textOf(isRepeat ? { ...this.#head, ...this.#again } : this.#head,
			this.#params)];
	}

	get #again() {
		return {
			retry: this.#instance,
			retry_ms: this.#begun.most,
			timeout_ms: Math.max(Math.ceil(this.left), 1),
		};
	}
}
