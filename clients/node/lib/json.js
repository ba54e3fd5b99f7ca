// SPDX-License-Identifier: MIT
// Values as JSON text, as they go over a hub. What becomes what is in `walk`. For web pages too.
import { convert, INT64_MIN, refuse, UINT64_MAX } from './walk.js';

const forJson = {
	plain: value => JSON.stringify(value),
	number: (value, place) =>
		Number.isFinite(value) ? JSON.stringify(value)
			: refuse(place, `${value} has no form in JSON`),
	integer: value => String(value),
	bytes: value => `{"$bin":"${toBase64(value)}"}`,
	time: (value, place) => {
		const text = value.toISOString();
		return /^\d{4}-/.test(text) ? `{"$time":"${text}"}` :
			refuse(place, 'a time outside of the years 0 to 9999');
	},
	array: items => `[${items.join(',')}]`,
	object: entries =>
		`{${entries.map(([key, text]) => `${keyToJson(key)}:${text}`).join(',')}}`,
};

function keyToJson(key) {
	return JSON.stringify(key[0] === '$' ? `$${key}` : key);
}

/** JSON text of a value. Throws TypeError, which names the place, if it has no form. */
export function toJson(value, place = 'value') {
	return convert(value, forJson, place);
}

/** The value of a JSON text. Throws an Error if there is none. */
export function fromJson(text) {
	return unmark(JSON.parse(markLongIntegers(text)));
}

// JSON.parse() rounds integers beyond 53 bits: they are marked, in a way that no real key has.
const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

function markLongIntegers(text) {
	return text.replace(STRING_OR_LONG_INTEGER, token =>
		token[0] === '"' || Number.isSafeInteger(Number(token)) ? token
			: `{"$integer":"${token}"}`);
}

/** Whether a JSON text has integers that JSON.parse() would round. */
export function isRoundedByOthers(text) {
	return markLongIntegers(text) !== text;
}

const MARKS = {
	$bin: text => fromBase64(text),
	$time: text => new Date(text),
	$integer: text => {
		const value = BigInt(text);
		return value < INT64_MIN || value > UINT64_MAX ? Number(text) : value;
	},
};

function unmark(value) {
	if (typeof value !== 'object' || value === null)
		return value;
	if (Array.isArray(value))
		return value.map(unmark);
	const entries = Object.entries(value);
	if (entries.length === 1 && typeof entries[0][1] === 'string' &&
		Object.hasOwn(MARKS, entries[0][0]))
		return MARKS[entries[0][0]](entries[0][1]);
	return Object.fromEntries(entries.map(
		([key, member]) => [key.startsWith('$$') ? key.slice(1) : key, unmark(member)]));
}

/** Base64 of bytes, in pieces, as a function takes so many arguments only. */
export function toBase64(bytes) {
	let text = '';
	for (let i = 0; i < bytes.length; i += 0x8000)
		text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
	return btoa(text);
}

export function fromBase64(text) {
	return Uint8Array.from(atob(text), c => c.charCodeAt(0));
}
