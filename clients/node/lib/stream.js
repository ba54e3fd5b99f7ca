// SPDX-License-Identifier: MIT
// Values that come when they come, to be read with "for await". Runs in web pages too.

/**
 * Keeps values until somebody reads them, the newest `most` of them: who reads too slowly loses the
 * oldest, and `lost` counts them. One reader.
 */
export class Stream {
	#values = [];
	#waiting = null;	// {resolve, reject} of the reader that waits
	#ended = null;		// {error}, error null: without one
	#most;
	#onReturn;
	lost = 0;

	/** onReturn: called when the reader leaves its loop early. */
	constructor(most = 1024, onReturn = () => {}) {
		this.#most = most;
		this.#onReturn = onReturn;
	}

	push(value) {
		if (this.#ended !== null)
			return;
		if (this.#waiting !== null)
			return this.#wake(w => w.resolve({ value, done: false }));
		this.#values.push(value);
		if (this.#values.length > this.#most) {
			this.#values.shift();
			this.lost++;
		}
	}

	/** What was pushed can still be read; then the reader's loop ends, or throws error. */
	end(error = null) {
		if (this.#ended !== null)
			return;
		this.#ended = { error };
		if (this.#waiting !== null)
			this.#wake(w => this.#finish(w));
	}

	#wake(tell) {
		const waiting = this.#waiting;
		this.#waiting = null;
		tell(waiting);
	}

	#finish({ resolve, reject }) {
		const { error } = this.#ended;
		this.#ended.error = null;
		if (error !== null)
			reject(error);
		else
			resolve({ value: undefined, done: true });
	}

	next() {
		return new Promise((resolve, reject) => {
			if (this.#values.length > 0)
				resolve({ value: this.#values.shift(), done: false });
			else if (this.#ended !== null)
				this.#finish({ resolve, reject });
			else
				this.#waiting = { resolve, reject };
		});
	}

	return() {
		this.#values = [];
		this.end();
		this.#onReturn();
		return Promise.resolve({ value: undefined, done: true });
	}

	[Symbol.asyncIterator]() {
		return this;
	}
}
