// SPDX-License-Identifier: MIT
// Values as MessagePack, as they go over the local socket. What becomes what is in `walk`.
import { Decoder, Encoder } from '@msgpack/msgpack';

import { hasWideIntegers } from './frame.js';
import { convert, DEPTH_MAX, isBytes } from './walk.js';

const encoder = new Encoder({ useBigInt64: true, maxDepth: DEPTH_MAX + 8 });
const decoder = new Decoder({ useBigInt64: true, keyDecoder: null, mapKeyConverter: toKey });

function toKey(key) {
	if (typeof key === 'string')
		return key;
	if (typeof key === 'bigint' || Number.isInteger(key))
		return String(key);
	throw new TypeError('a key that is neither a string nor an integer');
}

const forMessagePack = {
	plain: value => value,
	// The encoder makes floats of integers beyond 32 bits, but for bigints.
	number: value => Number.isSafeInteger(value) &&
		(value > 0xffffffff || value < -0x80000000) ?
		BigInt(value) : value,
	integer: value => value >= -0x80000000n && value <= 0xffffffffn ? Number(value) : value,
	bytes: value => value,
	time: value => value,
	array: items => items,
	object: entries => Object.fromEntries(entries),
};

/** What the encoder takes for a value. Throws TypeError, with the place, if it has no form. */
export function prepare(value, place) {
	return convert(value, forMessagePack, place);
}

/** Bytes of a message made of prepared values. */
export function pack(message) {
	return encoder.encode(message);
}

/** The value of whole bytes. Throws an Error for what JavaScript cannot hold. */
export function unpack(bytes) {
	const wide = hasWideIntegers(bytes);
	const value = decoder.decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
	return wide ? narrow(value) : value;
}

/** Integers that a number can hold become numbers. */
function narrow(value) {
	if (typeof value === 'bigint')
		return narrowInteger(value);
	if (typeof value !== 'object' || value === null || isBytes(value) || value instanceof Date)
		return value;
	for (const key of Object.keys(value))
		value[key] = narrow(value[key]);
	return value;
}

function narrowInteger(value) {
	const number = Number(value);
	return Number.isSafeInteger(number) ? number : value;
}
