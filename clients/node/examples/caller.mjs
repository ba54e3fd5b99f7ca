// SPDX-License-Identifier: MIT
// Calls the functions of provider.mjs.
import { connect } from 'chapi';

const chapi = await connect();
try {
	await chapi.wait(['load', 'count'], { timeout: 5000 });
	console.log('load:', await chapi.call('load'));
	const count = chapi.call('count', { n: 3 }, { timeout: 5000, progress: true });
	for await (const i of count.progress)
		console.log('at', i);
	console.log('counted to', await count);
} finally {
	chapi.close();
}
