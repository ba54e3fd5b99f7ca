// SPDX-License-Identifier: MIT
// Records too large for one event of a hub, in parts: cut and put together. Runs in web pages too.
import { fromBase64, toBase64 } from './json.js';

/** Bytes of data that a hub takes in one event, and of a record's JSON text. */
export const EVENT_MAX = 10240;
export const RECORD_MAX = 1 << 20;

/** Bytes of text that, once sealed for an encrypted channel, fill an event. */
export const SEALED_MAX = Math.floor((EVENT_MAX - 110) / 4) * 3;

const PARTS_MAX = 1024;

/** Bytes of what a repeat says: an instance with each byte escaped, numbers. */
export const AGAIN_MAX = 240;

// Node 18 has it as a module only.
async function webCrypto() {
	return globalThis.crypto?.subtle ? globalThis.crypto
		: (await import('node:crypto')).webcrypto;
}

/** 32 random hexadecimal digits. */
export async function randomId() {
	const bytes = (await webCrypto()).getRandomValues(new Uint8Array(16));
	return [...bytes].map(b => b.toString(16).padStart(2, '0')).join('');
}

async function digestOf(bytes) {
	return toBase64(new Uint8Array(await (await webCrypto()).subtle.digest('SHA-256', bytes)));
}

/** What comes out of a stream, up to most bytes. Rejects with RangeError beyond them. */
async function collect(stream, most) {
	const pieces = [];
	let size = 0;
	for (const reader = stream.getReader(); ;) {
		const { value, done } = await reader.read();
		if (done)
			break;
		size += value.length;
		if (size > most) {
			await reader.cancel();
			throw new RangeError(`more than ${most} bytes`);
		}
		pieces.push(value);
	}
	return join(pieces, size);
}

function join(pieces, size) {
	const whole = new Uint8Array(size);
	let at = 0;
	for (const piece of pieces) {
		whole.set(piece, at);
		at += piece.length;
	}
	return whole;
}

function through(bytes, transform) {
	return new Blob([bytes]).stream().pipeThrough(transform);
}

async function smallest(plain) {
	if (typeof CompressionStream === 'undefined')
		return ['json', plain];
	const packed = await collect(through(plain, new CompressionStream('deflate')), Infinity);
	return packed.length < plain.length ? ['zlib', packed] : ['json', plain];
}

function bytesOf(text) {
	return new TextEncoder().encode(text);
}

/**
 * The parts of a record's text, as JSON texts of at most `most` bytes; those that come again have
 * room. to: the gateway that is meant; what others say of parts would be taken for its answer.
 */
export async function split(id, text, most = EVENT_MAX, to = undefined) {
	const plain = bytesOf(text);
	const [encoding, bytes] = await smallest(plain);
	const head = { id, to, encoding, sha256: await digestOf(plain) };
	const part = (i, n, data) => JSON.stringify({ ...head, part: i, parts: n, data });
	const room = most - AGAIN_MAX - bytesOf(part(PARTS_MAX, PARTS_MAX, '')).length;
	const slice = Math.floor(room / 4) * 3;		// bytes, of which base64 makes more
	const n = Math.ceil(bytes.length / slice);
	return Array.from({ length: n }, (_, i) =>
		part(i, n, toBase64(bytes.subarray(i * slice, (i + 1) * slice))));
}

/** A part of a request that comes again: the same, and what the repeat says. */
export function partAgain(text, again) {
	return JSON.stringify({ ...JSON.parse(text), ...again });
}

/**
 * The parts of one answer, which come in any order and more than once. Those of another record take
 * the place of the ones before: only the gateway answers, and it was started again, so what there
 * is of its first answer will never be complete.
 */
export class Assembly {
	#head = null;
	#slices = new Map();

	/**
	 * The record's text when this was the last part missing, else null. Rejects with an
	 * Error for what is no part, and for parts that together make no record.
	 */
	async add({ part, parts, sha256, encoding, data }) {
		if (!Number.isInteger(part) || !Number.isInteger(parts) || part < 0 ||
			part >= parts ||
			parts > PARTS_MAX || typeof data !== 'string')
			throw new TypeError('a part without its fields');
		const head = JSON.stringify([parts, sha256, encoding]);
		if (this.#head !== head)
			this.#slices.clear();
		this.#head = head;
		this.#slices.set(part, fromBase64(data));
		return this.#slices.size === parts ? this.#whole(parts, sha256, encoding) : null;
	}

	async #whole(parts, sha256, encoding) {
		const pieces = Array.from({ length: parts }, (_, part) => this.#slices.get(part));
		const bytes = join(pieces, pieces.reduce((size, piece) => size + piece.length, 0));
		const plain = encoding === 'zlib' ?
			await collect(through(bytes, new DecompressionStream('deflate')),
				RECORD_MAX) : bytes;
		if (await digestOf(plain) !== sha256)
			throw new TypeError('parts that make no record');
		return new TextDecoder().decode(plain);
	}
}
