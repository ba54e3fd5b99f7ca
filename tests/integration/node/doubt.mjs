// SPDX-License-Identifier: MIT
// One call over a hub that takes the request and does not say so.
import { connectRemote } from 'chapi/remote';

import { channel, newPusher, server } from './hub.mjs';

const timeout = Number(process.env.CHAPI_TESTS_LIMIT) * 4000;
const client = await connectRemote({ pusher: newPusher(), server, channel });

console.log(await client.call('once', {}, { timeout }).catch(e =>
	`${e.code} ${e.details?.reason} ${e.ran}`));
process.exit();
