// SPDX-License-Identifier: MIT
// The names that a process holds, and the calls of them that run: hands requests to handlers,
// answers, cancels, registers again. The connection it happens on is kept by `link`.
import { ApiExists, ApiNotFound, Cancelled, ChapiError, InvalidArgument } from './errors.js';

const RETRY = 2000;	// milliseconds between attempts to get names back

/**
 * What a caller is told of what a function threw: a ChapiError as it is; of anything else the
 * message, and as its own code `code` (such as 'ENOENT') or the class of the error.
 */
function thrownToRecord(thrown, signal) {
	if (thrown instanceof ChapiError)
		return thrown.toRecord();
	if (signal.aborted && thrown?.name === 'AbortError')
		return { code: 'cancelled', message: 'the call was cancelled' };
	if (!(thrown instanceof Error))
		return { code: 'error', message: String(thrown) };
	const code = typeof thrown.code === 'string' ? thrown.code : thrown.name;
	return { code, message: thrown.message || thrown.name };
}

/** A call, as its handler sees it: second argument of the handler. */
class Call {
	#connection;
	#number;

	constructor(connection, { number, name, meta }, signal) {
		this.#connection = connection;
		this.#number = number;
		this.api = name;
		this.meta = meta;
		this.signal = signal;
	}

	get id() { return this.meta.call ?? ''; }
	get origin() { return this.meta.origin ?? 'local'; }
	get caller() { return this.meta.caller ?? ''; }

	progress = value => {
		if (this.meta.progress && !this.signal.aborted)
			this.#connection.notifyProgress(this.#number, value);
	};
}

/** tell(event, ...arguments): who uses the library is told what becomes of names. */
export class Service {
	#names = new Map();	// name -> {name, handler, options, isPaused, isHeld}
	#running = new Map();	// connection -> Map(number -> AbortController)
	#retry = null;
	#tell;

	constructor(tell) {
		this.#tell = tell;
	}

	// -- names

	/** ask(method, params): to the gateway. */
	async register(name, handler, options, ask) {
		if (typeof handler !== 'function')
			throw new InvalidArgument(
				`register: the handler of ${name} has to be a function`);
		if (this.#names.has(name))
			throw new ApiExists(`this process holds ${name} already; use update`);
		const held = { name, handler, options, isPaused: false, isHeld: false };
		this.#names.set(name, held);
		try {
			const granted = await ask('register', [name, options]);
			held.isHeld = true;
			return granted;
		} catch (e) {
			this.#names.delete(name);
			throw e;
		}
	}

	/** Whatever the gateway says, or if it says nothing: it is not registered again. */
	async unregister(name, ask) {
		try {
			await ask('unregister', [name]);
		} finally {
			this.#names.delete(name);
		}
	}

	async update(name, options, ask) {
		const held = this.#names.get(name);
		if (held === undefined)
			throw new ApiNotFound(`this process does not hold ${name}`);
		const granted = await ask('update', [name, options]);
		Object.assign(held.options, options);
		return granted;
	}

	/** Also after a reconnect. */
	setPaused(name, isPaused) {
		const held = this.#names.get(name);
		if (held !== undefined)
			held.isPaused = isPaused;
	}

	// -- the connection

	/**
	 * Registers all names on a new connection. Those that the gateway refuses are tried
	 * again.
	 */
	async comeUp(connection) {
		this.#running.set(connection, new Map());
		clearTimeout(this.#retry);
		await this.#registerAll(connection,
			[...this.#names.values()].filter(held => held.isHeld));
	}

	async #registerAll(connection, names) {
		const refused = [];
		await Promise.all(names.map(async held => {
			if (!await this.#registerAgain(connection, held))
				refused.push(held);
		}));
		if (refused.length > 0 && connection.isOpen)
			this.#retry = setTimeout(() => this.#registerAll(connection, refused.filter(
				held => this.#names.get(held.name) === held)), RETRY);
	}

	async #registerAgain(connection, held) {
		try {
			const granted = await connection.request('register',
				[held.name, held.options]).answer;
			if (this.#names.get(held.name) !== held)
				return await this.#giveBack(connection, held.name);
			if (held.isPaused)
				await connection.request('pause', [held.name]).answer;
			this.#tell('restored', held.name, granted);
			return true;
		} catch (e) {
			this.#tell('refused', held.name, e);
			return false;
		}
	}

	/** It was given up, or lost, while it was asked for. */
	async #giveBack(connection, name) {
		await connection.request('unregister', [name]).answer.catch(() => {});
		return true;
	}

	/** Nobody waits any more for the calls that run. */
	goDown(connection, error) {
		clearTimeout(this.#retry);
		for (const controller of this.#running.get(connection)?.values() ?? [])
			controller.abort(error);
		this.#running.delete(connection);
	}

	takeNotification(connection, method, params) {
		if (method === 'cancel')
			this.#running.get(connection)?.get(params[0])?.abort(
				new Cancelled('the call was cancelled'));
		else if (method === 'granted')
			this.#tell('granted', params[0]);
		else if (method === 'revoked' && this.#names.delete(params[0]))
			this.#tell('revoked', params[0], params[1]);
	}

	// -- calls

	async takeRequest(connection, request) {
		const controller = new AbortController();
		this.#running.get(connection)?.set(request.number, controller);
		let error = null, result = null;
		try {
			result = await this.#run(connection, request, controller.signal);
		} catch (e) {
			error = thrownToRecord(e, controller.signal);
		}
		this.#running.get(connection)?.delete(request.number);
		connection.answer(request.number, error, result);
	}

	#run(connection, request, signal) {
		if (request.problem !== undefined)
			throw new InvalidArgument(
				`params that JavaScript cannot hold: ${request.problem}`);
		const held = this.#names.get(request.name);
		if (held === undefined)
			throw new ChapiError(`this process no longer has ${request.name}`,
				{ code: 'api_not_found' });
		return held.handler(request.params, new Call(connection, request, signal));
	}
}
