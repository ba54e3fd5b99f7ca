// SPDX-License-Identifier: MIT
// Where a MessagePack value ends: cuts a stream of bytes into messages, wherever reads cut it,
// and says what is in a whole one. Decodes nothing: that is for `values`.
import { isUtf8 } from 'node:buffer';

const INVALID = 255;

// What follows a first byte: LENGTH_BYTES of a length or count; FIXED bytes (with a length: beside
// it); CHILDREN, values of its own (of a counted one: values for each that is counted).
const LENGTH_BYTES = new Uint8Array(256);
const FIXED = new Uint8Array(256);
const CHILDREN = new Uint8Array(256);

function fill(first, lengthBytes, fixed, children) {
	for (let i = 0; i < lengthBytes.length; i++) {
		LENGTH_BYTES[first + i] = lengthBytes[i];
		FIXED[first + i] = fixed[i];
		CHILDREN[first + i] = children;
	}
}

for (let i = 0; i < 16; i++) {
	CHILDREN[0x80 + i] = 2 * i;
	CHILDREN[0x90 + i] = i;
	FIXED[0xa0 + i] = i;
	FIXED[0xb0 + i] = 16 + i;
}
LENGTH_BYTES[0xc1] = INVALID;
fill(0xc4, [1, 2, 4], [0, 0, 0], 0);			// bin
fill(0xc7, [1, 2, 4], [1, 1, 1], 0);			// ext
fill(0xca, [0, 0], [4, 8], 0);				// float
fill(0xcc, [0, 0, 0, 0, 0, 0, 0, 0], [1, 2, 4, 8, 1, 2, 4, 8], 0);	// uint, int
fill(0xd4, [0, 0, 0, 0, 0], [2, 3, 5, 9, 17], 0);	// fixext
fill(0xd9, [1, 2, 4], [0, 0, 0], 0);			// str
fill(0xdc, [2, 4], [0, 0], 1);				// array
fill(0xde, [2, 4], [0, 0], 2);				// map

/** Cuts a stream into values. Throws RangeError at a byte that begins none. */
export class Frames {
	#pieces = [];		// of the value that is not whole yet
	#open = 1;		// values still to come until it is
	#skip = 0;		// bytes to pass over
	#lengthLeft = 0;	// bytes of a length that are still to come
	#length = 0;
	#first = 0;		// whose length it is

	/** The values that are whole now, as bytes. */
	feed(chunk) {
		const whole = [];
		let start = 0;
		for (let at = 0; at < chunk.length;) {
			at = this.#step(chunk, at);
			if (this.#open === 0 && this.#skip === 0) {
				whole.push(this.#take(chunk.subarray(start, at)));
				start = at;
			}
		}
		if (start < chunk.length)
			this.#pieces.push(Buffer.from(chunk.subarray(start)));
		return whole;
	}

	#take(last) {
		const value = this.#pieces.length > 0 ? Buffer.concat([...this.#pieces, last])
			: last;
		this.#pieces = [];
		this.#open = 1;
		return value;
	}

	/** Reads at one place; returns the next one. */
	#step(chunk, at) {
		if (this.#skip > 0) {
			const n = Math.min(this.#skip, chunk.length - at);
			this.#skip -= n;
			return at + n;
		}
		if (this.#lengthLeft > 0) {
			this.#length = this.#length * 256 + chunk[at];
			if (--this.#lengthLeft === 0)
				this.#counted(this.#first, this.#length);
			return at + 1;
		}
		this.#begin(chunk[at]);
		return at + 1;
	}

	#begin(first) {
		if (LENGTH_BYTES[first] === INVALID)
			throw new RangeError('bytes that are no MessagePack');
		if (LENGTH_BYTES[first] > 0) {
			this.#first = first;
			this.#length = 0;
			this.#lengthLeft = LENGTH_BYTES[first];
			return;
		}
		this.#open += CHILDREN[first] - 1;
		this.#skip = FIXED[first];
	}

	#counted(first, length) {
		this.#open -= 1;
		if (CHILDREN[first] > 0)
			this.#open += length * CHILDREN[first];
		else
			this.#skip = length + FIXED[first];
	}
}

/** The elements of an array, as bytes of one value each. */
export function elements(message) {
	const headLength = message[0] === 0xdc ? 3 : message[0] === 0xdd ? 5 : 1;
	return new Frames().feed(message.subarray(headLength));
}

/** Does a message begin here, that is an array? */
export function isArray(first) {
	return (first & 0xf0) === 0x90 || first === 0xdc || first === 0xdd;
}

function isText(first) {
	return (first >= 0xa0 && first <= 0xbf) || (first >= 0xd9 && first <= 0xdb);
}

/**
 * Looks through whole values: are there integers of 64 bits? Throws RangeError for a string that
 * is not UTF-8, which decoders pass over in silence.
 */
export function hasWideIntegers(bytes) {
	let wide = false;
	for (let at = 0; at < bytes.length;) {
		const first = bytes[at++];
		const n = LENGTH_BYTES[first];
		let skip = FIXED[first];
		if (n > 0) {
			if (CHILDREN[first] === 0)
				skip += bytes.readUIntBE(at, n);
			at += n;
		}
		if (isText(first) && !isUtf8(bytes.subarray(at, at + skip)))
			throw new RangeError('a string that is not UTF-8');
		wide ||= first === 0xcf || first === 0xd3;
		at += skip;
	}
	return wide;
}
