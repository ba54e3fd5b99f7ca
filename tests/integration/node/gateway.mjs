// SPDX-License-Identifier: MIT
// A gateway for the tests of clients/node: started, killed and started again at one socket.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const LIMIT = Number(process.env.CHAPI_TESTS_LIMIT || 10) * 1000;

/** Until condition() gives something true; rejects after the limit. */
export async function waitFor(condition) {
	for (const end = Date.now() + LIMIT; ; await sleep(5)) {
		const answer = await condition();
		if (answer)
			return answer;
		if (Date.now() > end)
			throw new Error(`not within ${LIMIT} ms: ${condition}`);
	}
}

export class Gateway {
	#process = null;
	log = '';

	constructor() {
		this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'chapi-'));
		this.socket = path.join(this.folder, 'gw.sock');
		fs.writeFileSync(path.join(this.folder, 'gw.conf'),
			'[gateway]\nname = gw-of-the-tests\n');
	}

	/** The socket of a user's own gateway, in a runtime directory. */
	ownSocket() {
		const own = path.join(this.folder, 'chapi');
		fs.mkdirSync(own, { recursive: true });
		fs.writeFileSync(path.join(own, 'gw.sock'), '');
		return path.join(own, 'gw.sock');
	}

	async start() {
		this.#process = spawn(process.env.CHAPI_GW,
			['--config', path.join(this.folder, 'gw.conf'), '--socket', this.socket],
			{ stdio: ['ignore', 'ignore', 'pipe'] });
		this.#process.stderr.setEncoding('utf8').on('data', text => { this.log += text; });
		const from = this.log.length;
		await waitFor(() => this.log.includes('ready', from) ||
			this.#process.exitCode !== null);
		if (this.#process.exitCode !== null)
			throw new Error(`the gateway ended:\n${this.log}`);
	}

	async kill() {
		const ended = once(this.#process, 'exit');
		this.#process.kill('SIGKILL');
		await ended;
	}

	/** Its end has to be a clean one. */
	async stop() {
		const ended = once(this.#process, 'exit');
		this.#process.kill('SIGTERM');
		const [status, signal] = await ended;
		fs.rmSync(this.folder, { recursive: true });
		if (status !== 0)
			throw new Error(`the gateway ended with ${status ?? signal}:\n${this.log}`);
	}
}
