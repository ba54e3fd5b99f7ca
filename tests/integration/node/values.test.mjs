// SPDX-License-Identifier: MIT
// The parts of clients/node that need no gateway: frames, values, streams, records in parts.
import assert from 'node:assert/strict';
import test from 'node:test';

import { elements, Frames, hasWideIntegers } from '../node_modules/chapi/lib/frame.js';
import { fromJson, toJson } from '../node_modules/chapi/lib/json.js';
import { Assembly, randomId, split } from '../node_modules/chapi/lib/parts.js';
import { Stream } from '../node_modules/chapi/lib/stream.js';
import { pack, prepare, unpack } from '../node_modules/chapi/lib/values.js';

const hex = text => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** One value of each form that MessagePack has, with every width of a length. */
const FORMS = ['00', '7f', 'e0', 'c0', 'c2', 'c3', 'a0', 'a161', 'd90161', 'da000161',
	'db0000000161', 'c40100', 'c5000100',
	'c60000000100', 'c7010500', 'c800010500', 'c90000000105 00', 'ca00000000',
	'cb0000000000000000', 'cc01', 'cd0001',
	'ce00000001', 'cf0000000000000001', 'd001', 'd10001', 'd200000001', 'd30000000000000001',
	'd40500', 'd5050000',
	'd60500000000', `d705${'00'.repeat(8)}`, `d805${'00'.repeat(16)}`, '90', '9101', 'dc000101',
	'dd0000000101', '80', '81a16101',
	'de0001a16101', 'df00000001a16101', '92 91a161 81a1619101'].map(hex);

test('frames are cut wherever they are cut', () => {
	const all = Buffer.concat(FORMS);
	for (let size = 1; size <= all.length; size++) {
		const frames = new Frames();
		const found = [];
		for (let at = 0; at < all.length; at += size)
			found.push(...frames.feed(all.subarray(at, at + size)));
		assert.deepEqual(found.map(f => f.toString('hex')),
			FORMS.map(f => f.toString('hex')), `pieces of ${size}`);
	}
	assert.throws(() => new Frames().feed(hex('91c1')), /no MessagePack/);
});

test('elements of an array, with every width of its count', () => {
	for (const head of ['93', 'dc0003', 'dd00000003'])
		assert.deepEqual(elements(hex(`${head} 01 a161 9102`)).map(e => e.toString('hex')),
			['01', 'a161', '9102']);
});

test('every width of an integer is the same number', () => {
	for (const bytes of ['05', 'cc05', 'cd0005', 'ce00000005', 'cf0000000000000005', 'd005',
		'd10005', 'd200000005',
		'd30000000000000005'])
		assert.equal(unpack(hex(bytes)), 5);
	assert.equal(unpack(hex('cfffffffffffffffff')), 2n ** 64n - 1n);
	assert.equal(unpack(hex('d3fff0000000000000')), -(2 ** 52));
	assert.deepEqual(unpack(hex('8101c3')), { 1: true });
	assert.ok(hasWideIntegers(hex('92a16191cf0000000000000001')));
});

test('what JavaScript cannot hold is an error', () => {
	assert.throws(() => unpack(hex('a1ff')), /UTF-8/);
	assert.throws(() => unpack(hex('81a1ff01')), /UTF-8/);
	assert.throws(() => unpack(hex('8190c0')), /key/);
});

test('integers are packed as integers', () => {
	const packed = value => Buffer.from(pack(prepare(value, 'v'))).toString('hex');
	assert.equal(packed(2 ** 32), 'cf0000000100000000');
	assert.equal(packed(-(2 ** 31) - 1), 'd3ffffffff7fffffff');
	assert.equal(packed(5n), '05');
	assert.equal(packed(-0), '00');
	assert.equal(packed(2 ** 53), 'cb4340000000000000');
});

test('JSON and back', () => {
	const text = '{"$$a":[1,-2.5,null,true],"b":{"$bin":"AP8="},' +
		'"t":{"$time":"2026-03-01T12:34:56.500Z"},' +
		'"big":18446744073709551615,"s":"12345678901234567890 \\" 98765432109876543210"}';
	const value = fromJson(text);
	assert.deepEqual(value, {
		$a: [1, -2.5, null, true], b: Uint8Array.of(0, 255),
		t: new Date('2026-03-01T12:34:56.5Z'),
		big: 2n ** 64n - 1n, s: '12345678901234567890 " 98765432109876543210',
	});
	assert.equal(toJson(value), text);
	assert.equal(fromJson('-99999999999999999999'), -1e20);
	assert.throws(() => toJson({ a: [NaN] }), /value\.a\[0\]: NaN/);
	assert.throws(() => toJson(new Date(8.64e15)), /years/);
});

test('a stream that is read too slowly loses the oldest', async () => {
	const stream = new Stream(2);
	[1, 2, 3].forEach(v => stream.push(v));
	stream.end();
	const seen = [];
	for await (const value of stream)
		seen.push(value);
	assert.deepEqual([seen, stream.lost], [[2, 3], 1]);
});

/** Parts of an answer that is no other's. */
const someParts = async () => {
	const ids = await Promise.all(Array.from({ length: 200 }, randomId));
	return (await split('x', ids.join(''), 1000)).map(part => JSON.parse(part));
};

test('an answer made anew takes the place of half of one', async () => {
	const assembly = new Assembly();
	const [old, made] = [await someParts(), await someParts()];
	for (const part of [...old.slice(0, -1), ...made.slice(0, -1)])
		assert.equal(await assembly.add(part), null);
	const text = await assembly.add(made.at(-1));
	assert.deepEqual((await split('x', text, 1000)).map(part => JSON.parse(part)), made);
});
