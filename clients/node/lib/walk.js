// SPDX-License-Identifier: MIT
// Values on their way out: takes them apart for the two encodings (MessagePack for the local
// socket: `values`, JSON for the hub: `json`), and refuses what has no form in either. Runs in web
// pages too.
//
// null, booleans, numbers, strings, arrays and plain objects mean the same in both. A bigint is an
// integer of 64 bits; those that a number can hold arrive as numbers. A Uint8Array (a Buffer, an
// ArrayBuffer, other views) is bin, a Date a time: types of their own in MessagePack, {"$bin":
// base64} and {"$time": RFC 3339} in JSON, where a real key that begins with '$' gets one more.
export const DEPTH_MAX = 24;
export const INT64_MIN = -(2n ** 63n);
export const UINT64_MAX = 2n ** 64n - 1n;
const LONE_SURROGATE = /\p{Surrogate}/u;

export function refuse(place, why) {
	throw new TypeError(`${place}: ${why}`);
}

export function isBytes(value) {
	return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function toBytes(value) {
	if (!ArrayBuffer.isView(value))
		return new Uint8Array(value);
	return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function checkText(text, place) {
	if (LONE_SURROGATE.test(text))
		refuse(place, 'a string with half of a surrogate pair');
	return text;
}

function checkInteger(value, place) {
	if (value < INT64_MIN || value > UINT64_MAX)
		refuse(place, 'an integer beyond 64 bits');
	return value;
}

function checkTime(value, place) {
	if (Number.isNaN(value.getTime()))
		refuse(place, 'a Date that is no time');
	return value;
}

/** Members that are undefined count as not there, as in JSON. A Map is an object. */
function entriesOf(value) {
	const entries = value instanceof Map ? [...value] : Object.entries(value);
	return entries.filter(([, member]) => member !== undefined);
}

/**
 * Takes a value apart: `form` says what becomes of each kind. One walk for both encodings, so that
 * they refuse the same and name the place in the same way.
 */
export function convert(value, form, place, depth = 0) {
	switch (typeof value) {
	case 'undefined': return form.plain(null);
	case 'boolean': return form.plain(value);
	case 'number': return form.number(value, place);
	case 'string': return form.plain(checkText(value, place));
	case 'bigint': return form.integer(checkInteger(value, place));
	case 'object': return value === null ? form.plain(null)
		: convertObject(value, form, place, depth);
	default: return refuse(place, `a ${typeof value} has no form outside of this process`);
	}
}

function convertObject(value, form, place, depth) {
	if (isBytes(value))
		return form.bytes(toBytes(value));
	if (value instanceof Date)
		return form.time(checkTime(value, place), place);
	if (depth === DEPTH_MAX)
		refuse(place, `more than ${DEPTH_MAX} arrays and objects in each other`);
	if (Array.isArray(value))
		return form.array(value.map((v, i) =>
			convert(v, form, `${place}[${i}]`, depth + 1)));
	if (value instanceof Set || value instanceof Promise)
		refuse(place, `a ${value.constructor.name} has no form outside of this process`);
	return form.object(entriesOf(value).map(([key, member]) => [
		checkText(String(key), place),
		convert(member, form, `${place}.${String(key)}`, depth + 1),
	]));
}
