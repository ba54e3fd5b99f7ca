// SPDX-License-Identifier: MIT
// The script of examples/page.html, run as a browser would: with a button, an output, the official
// client, and a web server at which that asks to be let into the channel. argv: that of hub.mjs;
// the script is $PAGE_SCRIPT. Says what the output shows after a click.
import http from 'node:http';
import { once } from 'node:events';

import PusherClient from 'pusher-js';

import { appKey, channel, server } from './hub.mjs';

const web = http.createServer(async (request, response) => {
	let body = '';
	for await (const text of request.setEncoding('utf8'))
		body += text;
	const asked = new URLSearchParams(body);
	const allowed = request.url === '/authorize' && asked.get('channel_name') === channel;
	response.writeHead(allowed ? 200 : 403, { 'content-type': 'application/json' });
	response.end(JSON.stringify(allowed &&
		server.authorizeChannel(asked.get('socket_id'), channel)));
}).listen(0, '127.0.0.1');
await once(web, 'listening');

const page = { button: {}, output: {} };
globalThis.document = { querySelector: name => page[name] };
/** Of the page's options, those that say where the hub and the web server are are the test's. */
globalThis.Pusher = class extends PusherClient {
	constructor(key, { cluster, channelAuthorization: { endpoint }, ...options }) {
		super(appKey, {
			...options, cluster, wsHost: '127.0.0.1', wsPort: Number(process.argv[2]),
			forceTLS: false, enabledTransports: ['ws'], disableStats: true,
			channelAuthorization: {
				endpoint: `http://127.0.0.1:${web.address().port}${endpoint}`,
			},
		});
	}
};
await import(process.env.PAGE_SCRIPT);
await page.button.onclick();
console.log(page.output.textContent);
process.exit();
