// SPDX-License-Identifier: MIT
// What a program uses: calls, names and everything else that can be asked of the gateway of this
// machine, on a connection that is made again when it is lost.
import { EventEmitter } from 'node:events';

import { ChapiError, DeadlineExceeded, InvalidArgument } from './errors.js';
import { Link } from './link.js';
import { Service } from './service.js';
import { socketPath } from './socket.js';
import { Stream } from './stream.js';
import { after } from './timer.js';
import { VERSION } from './version.js';

const PROTOCOL = 1;
const CONNECT_TIMEOUT = 5000;	// milliseconds
const GRACE = 2000;		// how long after its timeout the gateway's answer is waited for
const EVENTS_MOST = 4096;

/** Options of a call as they travel. */
function callOptions({ timeout, id, to, full, oneway, progress }) {
	const options = {
		timeout_ms: timeout, id, to, full: full || undefined, oneway: oneway || undefined,
		progress: progress ? true : undefined,
	};
	return Object.values(options).some(v => v !== undefined) ? [options] : [];
}

/** Options of a name: the gateway's, but times may be called timeout and timeoutMax too. */
function nameOptions({ timeout, timeoutMax, ...options }) {
	if (timeout !== undefined)
		options.timeout_ms = timeout;
	if (timeoutMax !== undefined)
		options.timeout_max_ms = timeoutMax;
	return options;
}

export class Client extends EventEmitter {
	#link;
	#service;
	#connectTimeout;
	#monitor = null;	// {options, stream}
	gateway = null;

	constructor({ socket, name = 'node', appKey, connectTimeout = CONNECT_TIMEOUT } = {}) {
		super();
		this.#connectTimeout = connectTimeout;
		this.#service = new Service((...about) => this.#tell(...about));
		const hello = { client: name, version: VERSION, protocol: PROTOCOL,
			app_key: appKey };
		this.#link = new Link(socketPath(socket), hello, {
			onUp: (connection, answer) => this.#comeUp(connection, answer),
			onDown: (connection, error) => this.#goDown(connection, error),
			onRequest: (connection, request) =>
				this.#service.takeRequest(connection, request),
			onNotification: (...about) => this.#takeNotification(...about),
		});
		this.#link.start();
	}

	get socket() {
		return this.#link.path;
	}

	get isConnected() {
		return this.#link.connection !== null;
	}

	/** Until there is a connection. */
	async ready({ timeout = this.#connectTimeout, signal } = {}) {
		await this.#link.wait(timeout, signal);
	}

	/**
	 * Ends the connection for good: names are free at once, calls under way get
	 * ConnectionLost.
	 */
	close() {
		this.#link.stop();
		this.#monitor?.stream.end();
	}

	// -- calls

	call(api, params = {}, options = {}) {
		const stream = options.progress === true ? new Stream() : undefined;
		const onProgress = stream ? value => stream.push(value) : options.progress ||
			undefined;
		const result = this.#call(api, params, options, onProgress);
		if (stream !== undefined)
			result.then(() => stream.end(), e => stream.end(e));
		return Object.assign(result, { progress: stream });
	}

	async #call(api, params, options, onProgress) {
		const asking = { signal: options.signal, onProgress, timeout: options.timeout };
		const result = await this.#ask('call', [api, params, ...callOptions(options)],
			asking);
		if (options.full && result?.error)
			result.error = ChapiError.fromRecord(result.error);
		return result;
	}

	/** Asks for any method. timeout: in milliseconds; the gateway gets 2 s more to answer. */
	async #ask(method, params, { signal, timeout, onProgress } = {}) {
		if (timeout !== undefined && !(timeout > 0))
			throw new InvalidArgument('timeout has to be above 0, in milliseconds');
		const connection = await this.#link.wait(
			Math.min(timeout ?? Infinity, this.#connectTimeout), signal);
		const { number, answer } = connection.request(method, params, onProgress);
		const cancel = () => connection.notify('cancel', [number]);
		signal?.addEventListener('abort', cancel);
		try {
			return await (timeout === undefined ? answer
				: this.#limited(answer, timeout + GRACE, cancel));
		} finally {
			signal?.removeEventListener('abort', cancel);
		}
	}

	/** For a gateway that does not answer at all. */
	async #limited(answer, ms, cancel) {
		let timer;
		const late = new Promise((_, reject) => {
			timer = after(ms, () => {
				cancel();
				reject(new DeadlineExceeded('the gateway did not answer in time'));
			});
		});
		try {
			return await Promise.race([answer, late]);
		} finally {
			clearTimeout(timer);
		}
	}

	// -- names

	register(name, handler, options = {}) {
		return this.#service.register(name, handler, nameOptions(options),
			(...asked) => this.#ask(...asked));
	}

	unregister(name) {
		return this.#service.unregister(name, (...asked) => this.#ask(...asked));
	}

	update(name, options) {
		return this.#service.update(name, nameOptions(options),
			(...asked) => this.#ask(...asked));
	}

	async pause(name) {
		await this.#ask('pause', [name]);
		this.#service.setPaused(name, true);
	}

	async resume(name) {
		await this.#ask('resume', [name]);
		this.#service.setPaused(name, false);
	}

	async drain(name, { timeout, signal } = {}) {
		const params = timeout === undefined ? [name] : [name, { timeout_ms: timeout }];
		await this.#ask('drain', params, { timeout, signal });
	}

	// -- asking the gateway

	list(pattern = '*', { long } = {}) {
		return this.#ask('list', long ? [pattern, { long: true }] : [pattern]);
	}

	describe(name) {
		return this.#ask('describe', [name]);
	}

	async wait(names, { timeout, signal } = {}) {
		const list = Array.isArray(names) ? names : [names];
		const params = timeout === undefined ? [list] : [list, { timeout_ms: timeout }];
		await this.#ask('wait', params, { timeout, signal });
	}

	status() {
		return this.#ask('status', []);
	}

	stats(name) {
		return this.#ask('stats', name === undefined ? [] : [name]);
	}

	async publish(channel, event, data = null, { timeout, signal } = {}) {
		await this.#ask('publish', [channel, event, data], { timeout, signal });
	}

	/** Any method of chapi-ipc(7). */
	ask(method, params = [], options = {}) {
		return this.#ask(method, params, options);
	}

	/** Events, as async iteration; a second monitor ends the first. */
	async monitor(options = {}) {
		const { kinds, apis, bodies } = options;
		await this.#ask('monitor', [{ kinds, apis, bodies }]);
		this.#monitor?.stream.end();
		const stream = new Stream(EVENTS_MOST, () => { this.#monitor = null; });
		this.#monitor = { options: { kinds, apis, bodies }, stream };
		return stream;
	}

	// -- the connection

	async #comeUp(connection, answer) {
		this.gateway = answer;
		await this.#service.comeUp(connection);
		if (this.#monitor !== null)
			await connection.request('monitor', [this.#monitor.options]).answer
				.catch(e => this.#monitor?.stream.end(e));
		this.#tell('connected');
	}

	#goDown(connection, error) {
		this.#service.goDown(connection, error);
		this.#tell('disconnected', error);
	}

	/** In a turn of its own: what a listener throws is no business of the connection. */
	#tell(event, ...about) {
		process.nextTick(() => this.emit(event, ...about));
	}

	#takeNotification(connection, method, params) {
		if (method === 'event')
			this.#monitor?.stream.push(params[0]);
		else
			this.#service.takeNotification(connection, method, params);
	}
}

/**
 * A client, connected. Tries for connectTimeout milliseconds; rejects with ConnectionLost (ran: no)
 * when no gateway came, FailedPrecondition when it belongs to another app.
 */
export async function connect(options = {}) {
	const client = new Client(options);
	try {
		await client.ready({ signal: options.signal });
	} catch (e) {
		client.close();
		throw e;
	}
	return client;
}

