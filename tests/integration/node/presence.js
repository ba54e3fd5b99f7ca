// SPDX-License-Identifier: MIT
// The official clients for Node on a presence channel: two of pusher-js are its members, and pusher
// asks over HTTP who is there. One line of JSON for each step.
//
//   presence.js PORT APP_ID KEY SECRET_FILE CHANNEL
'use strict';
const { server, member, channelName, say, run } = require('./official.js');

const once = (channel, event) =>
	new Promise(resolve => channel.bind(event, (...args) => resolve(args)));
const ask = async (path, params) => (await server.get({ path, params })).json();

async function join(user) {
	const client = member(user);
	const channel = client.subscribe(channelName);
	const [members] = await Promise.race([once(channel, 'pusher:subscription_succeeded'),
		once(channel, 'pusher:subscription_error').then(([why]) => Promise.reject(why))]);
	return { client, channel, members };
}

const listed = members => [members.count, members.me.id, members.members];

async function main() {
	const ann = await join({ user_id: 'ann', user_info: { name: 'Zürich ✓' } });
	say('first', listed(ann.members));

	const added = once(ann.channel, 'pusher:member_added');
	const bob = await join({ user_id: 'bob', user_info: { name: 'Bob' } });
	say('second', listed(bob.members));
	say('added', (await added)[0]);

	const heard = once(ann.channel, 'client-hello');
	bob.channel.trigger('client-hello', { a: 1 });
	say('event', await heard);

	const path = '/channels/' + channelName;
	say('users', (await ask(path + '/users')).users.map(user => user.id).sort());
	say('channel', (await ask(path, { info: 'user_count' })).user_count);
	const all = await ask('/channels', { filter_by_prefix: channelName, info: 'user_count' });
	say('channels', Object.entries(all.channels).map(([name, { user_count: n }]) => [name, n]));

	const removed = once(ann.channel, 'pusher:member_removed');
	bob.client.disconnect();
	say('removed', (await removed)[0].id);
	ann.client.disconnect();
}

run(main);
