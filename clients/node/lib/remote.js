// SPDX-License-Identifier: MIT
// Calls over the hub, from where there is no gateway: another machine, or a web page. Speaks
// through the official clients that the program made (pusher-js, and pusher where the app's secret
// is at hand), and imports neither: so it runs in web pages, and whatever those clients can be told
// holds here too, such as the key of an encrypted channel.
import {
	BadReply, Cancelled, ChapiError, ConnectionLost, DeadlineExceeded, FailedPrecondition,
	HubDown, InvalidArgument, Unauthenticated,
} from './errors.js';
import { fromJson } from './json.js';
import { Assembly, EVENT_MAX, randomId, SEALED_MAX } from './parts.js';
import { isDoubtful, isFinal, publishFailure, Publishing } from './publish.js';
import { Request } from './request.js';
import { Stream } from './stream.js';
import { after, sleepLightly } from './timer.js';

const TIMEOUT = 30000;		// milliseconds, of a call that names none
const CONNECT_TIMEOUT = 10000;
const GRACE = 2000;		// how long after its timeout a call is waited for
const PUBLISH_AGAIN = 500;
const BACK_AGAIN = 2000;	// after the repeat that follows a reconnect: one more
const GATEWAYS_MAX = 64;
const CLIENT_EVENT_GAP = 110;	// hubs take ten events a second from a web page

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

/** What a hub says to a subscription it refuses. */
function refusal(channel, { status, error, type } = {}) {
	const why = `the hub refuses the channel ${channel}: ${error ?? type ?? 'no reason given'}`;
	return status === 401 || status === 403 || type === 'AuthError' ?
		new Unauthenticated(why) : new FailedPrecondition(why);
}

/**
 * What hubs say to client events where the app is not set up for them: Pusher "To send client
 * events, you must enable this feature in the Settings page", others "The app does not have client
 * messaging enabled."
 */
const CLIENT_EVENTS_ARE_OFF = /client[ -](event|messag).*(enable|disable)/i;

/** A call that waits for its response. */
class Waiting {
	assembly = new Assembly();
	lastSeq = -1;
	timers = [];
	isOver = false;
	isDoubted = false;	// see #doubtAll()
	repeat = () => {};

	constructor(onProgress) {
		this.onProgress = onProgress;
		this.answer = new Promise((resolve, reject) =>
			Object.assign(this, { resolve, reject }));
		this.answer.catch(() => {});
	}

	takeProgress({ seq, value }) {
		if (seq <= this.lastSeq)
			return;
		this.lastSeq = seq;
		this.onProgress?.(value);
	}

	after(ms, f) {
		this.timers.push(after(ms, f));
	}

	/**
	 * What was answered meanwhile was not heard; and the gateway may need longer to be
	 * back.
	 */
	comeBack() {
		this.repeat();
		this.after(BACK_AGAIN, () => this.repeat());
	}

	end() {
		this.isOver = true;
		this.timers.forEach(clearTimeout);
		this.repeat = () => {};
	}
}

/**
 * pusher: a client of pusher-js. server: one of pusher, which publishes over HTTP; without it
 * requests go as client events, which needs a private channel. channel: the gateway's. name: a
 * label for people.
 */
export class RemoteClient {
	#pusher;
	#publishing;			// by HTTP; null: without the secret, client events
	#channel;
	#label;
	#connectTimeout;
	#waiting = new Map();		// id -> Waiting
	#instances = new Map();		// of the gateways heard of, by name
	#subscription = null;		// {resolve, reject, done}
	#clientEvents = Promise.resolve();
	#isEncrypted;
	#bound;

	constructor({ pusher, server, channel, name = 'node', connectTimeout = CONNECT_TIMEOUT }) {
		if (!server && !/^private-(?!encrypted-)/.test(channel))
			throw new FailedPrecondition(
				"without the app's secret, calls go over private channels only, " +
				`not ${channel}`);
		this.#isEncrypted = channel.startsWith('private-encrypted-');
		this.#pusher = pusher;
		this.#publishing = server ? new Publishing(server, pusher.connection, channel,
			this.#isEncrypted) : null;
		this.#label = name;
		this.#connectTimeout = connectTimeout;
		this.#channel = pusher.subscribe(channel);
		this.#bound = {
			'pusher:subscription_succeeded': () => this.#subscribed(),
			'pusher:subscription_error': e => this.#settle()
				.reject(refusal(channel, e)),
			response: record => this.#take(record, this.#takeResponse),
			'response-part': part => this.#take(part, this.#takePart),
			progress: record => this.#take(record, this.#takeProgress),
		};
		for (const [event, handler] of Object.entries(this.#bound))
			this.#channel.bind(event, handler);
		if (!server)
			pusher.connection.bind('error', this.#takeError);
	}

	/** Leaves the channel; calls under way get ConnectionLost. The pusher client stays. */
	close() {
		for (const [event, handler] of Object.entries(this.#bound))
			this.#channel.unbind(event, handler);
		if (this.#publishing === null)
			this.#pusher.connection.unbind('error', this.#takeError);
		this.#publishing?.close();
		this.#pusher.unsubscribe(this.#channel.name);
		for (const waiting of this.#waiting.values())
			waiting.reject(new ConnectionLost('the client was closed'));
	}

	/**
	 * Until responses can be heard. Rejects with HubDown, Unauthenticated or
	 * FailedPrecondition.
	 */
	async ready({ timeout = this.#connectTimeout } = {}) {
		if (this.#channel.subscribed)
			return;
		let timer;
		const late = new Promise((_, reject) => {
			timer = after(timeout, () => reject(new HubDown(
				`the hub cannot be reached: ${this.#pusher.connection.state}`)));
		});
		try {
			await Promise.race([this.#settle().promise, late]);
		} finally {
			clearTimeout(timer);
		}
	}

	/** The subscription that is being waited for. */
	#settle() {
		if (this.#subscription === null) {
			const settle = {};
			settle.promise = new Promise((resolve, reject) =>
				Object.assign(settle, { resolve, reject }));
			settle.promise.catch(() => {});
			this.#subscription = settle;
		}
		return this.#subscription;
	}

	#subscribed() {
		this.#settle().resolve();
		this.#subscription = null;
		for (const waiting of this.#waiting.values())
			waiting.comeBack();
	}

	// -- calls

	call(api, params = {}, options = {}) {
		const stream = options.progress === true ? new Stream() : undefined;
		const waiting = new Waiting(stream ? value => stream.push(value)
			: options.progress || undefined);
		const result = this.#call(api, params, options, waiting);
		if (stream !== undefined)
			result.then(() => stream.end(), e => stream.end(e));
		return Object.assign(result, { progress: stream });
	}

	async #call(api, params, options, waiting) {
		const record = await this.#record(api, params, options, waiting);
		if (this.#waiting.has(record.id))
			throw new InvalidArgument(`a call with id ${record.id} waits already`);
		if (options.signal?.aborted)
			throw new Cancelled('the call was cancelled before it was sent',
				{ ran: 'no' });
		this.#waiting.set(record.id, waiting);
		const cancel = () => this.#cancel(record.id, waiting);
		options.signal?.addEventListener('abort', cancel);
		try {
			return this.#result(await this.#perform(record, waiting), options.full);
		} finally {
			options.signal?.removeEventListener('abort', cancel);
			this.#waiting.delete(record.id);
		}
	}

	async #record(api, params, { id, timeout = TIMEOUT, to }, { onProgress }) {
		if (!(timeout > 0))
			throw new InvalidArgument('timeout has to be above 0, in milliseconds');
		return {
			id: id ?? await randomId(), api, params, request_time: Date.now() / 1000,
			timeout_ms: timeout,
			caller: this.#label, to, progress: onProgress ? true : undefined,
		};
	}

	#result(record, wantsAll) {
		const error = record.error ? ChapiError.fromRecord(record.error) : null;
		if (wantsAll)
			return { ...record, error };
		if (error !== null)
			throw error;
		return record.result;
	}

	/** Sends a request, again at half of its time and after a reconnect; its response. */
	async #perform(record, waiting) {
		const request = await Request.make(record,
			this.#isEncrypted ? SEALED_MAX : EVENT_MAX, this.#sendsValues);
		const ready = this.ready(
			{ timeout: Math.min(record.timeout_ms, this.#connectTimeout) });
		await Promise.race([waiting.answer, ready]);
		request.begin(this.#instanceOf(record.to));
		try {
			let failure = new DeadlineExceeded('no answer came over the hub in time');
			const late = new Promise((_, reject) =>
				waiting.after(record.timeout_ms + GRACE, () => reject(failure)));
			late.catch(() => {});
			const sent = this.#send(request, waiting, false).catch(e => {
				if (e.ran === 'no')
					throw e;
				failure = e;	// what the hub may have taken may be answered
			});
			await Promise.race([late, waiting.answer, sent]);
			this.#repeatLater(request, waiting, record.timeout_ms / 2);
			return await Promise.race([late, waiting.answer]);
		} finally {
			waiting.end();
		}
	}

	/** The first one may still be answered, whatever becomes of a repeat. */
	#repeatLater(request, waiting, ms) {
		waiting.repeat = () => {
			this.#doubtAll();
			this.#send(request, waiting, true).catch(() => {});
		};
		waiting.after(ms, () => waiting.repeat());
	}

	/** Of the gateway that a request goes to; empty if it was not heard of yet. */
	#instanceOf(to) {
		const only = this.#instances.size === 1 ? [...this.#instances.values()][0] : '';
		return to === undefined ? only : this.#instances.get(to) ?? '';
	}

	/** The official clients make JSON themselves of what they seal, and of client events. */
	get #sendsValues() {
		return this.#isEncrypted || this.#publishing === null;
	}

	/**
	 * Until the hub has taken it, no sooner than it wants. After a try in doubt it goes on as a
	 * repeat, although it may be none: the gateway may have got it, and may be another one by
	 * now.
	 */
	async #send(request, waiting, isRepeat) {
		let isAgain = isRepeat;
		const isUseless = () => waiting.isOver || (isAgain && request.left < 1);
		for (let i = 0; i < request.n && !waiting.isOver; ) {
			try {
				await this.#publish(() => isUseless() ? null
					: request.event(i, isAgain), request.left);
				i++;
			} catch (e) {
				isAgain ||= !(e instanceof ChapiError) && isDoubtful(e);
				await this.#waitToPublishAgain(e, request.left,
					isAgain ? 'unknown' : 'no');
			}
		}
	}

	/**
	 * Throws what the call ends with, if there is nothing to wait for. As long as the call
	 * waits a timer of its own is there.
	 */
	async #waitToPublishAgain(e, left, ran) {
		if (e instanceof ChapiError)
			throw Object.assign(e, ran === 'no' ? {} : { ran });
		const ms = Math.max(PUBLISH_AGAIN, this.#publishing.pause);
		if (isFinal(e) || left < ms)
			throw publishFailure(e, ran);
		await sleepLightly(ms);
	}

	/**
	 * write gives the event, [name, JSON text], or null if it is of no use any more. left:
	 * milliseconds until then.
	 */
	async #publish(write, left) {
		return this.#publishing === null ? this.#triggerClientEvent(write)
			: this.#publishing.publish(write, left);
	}

	/** One after the other, no faster than hubs take them. */
	#triggerClientEvent(write) {
		const sent = this.#clientEvents.then(() => {
			const event = write();
			if (event &&
			    !this.#channel.trigger(`client-${event[0]}`, JSON.parse(event[1])))
				throw new HubDown('there is no connection to the hub');
		});
		this.#clientEvents = sent.catch(() => {}).then(() => sleep(CLIENT_EVENT_GAP));
		return sent;
	}

	/**
	 * What the hub says of client events names none of them: so that nothing ran is known of
	 * one call only, and if nothing but its first try went out.
	 */
	#takeError = ({ data } = {}) => {
		if (!CLIENT_EVENTS_ARE_OFF.test(data?.message))
			return;
		for (const waiting of this.#waiting.values())
			waiting.reject(new FailedPrecondition(
				'the hub does not take client events; enable them in the ' +
				'settings of the app, or give the client a server: ' +
				data.message,
				{ ran: this.#waiting.size > 1 || waiting.isDoubted ? 'unknown'
					: 'no' }));
	};

	/** Repeats and cancels may be what the hub refuses, after it took first tries. */
	#doubtAll() {
		for (const waiting of this.#waiting.values())
			waiting.isDoubted = true;
	}

	/** Its answer says what became of it; if none comes, we say that it was cancelled. */
	#cancel(id, waiting) {
		this.#doubtAll();
		this.#publish(() => ['cancel', JSON.stringify({ id })], GRACE).catch(() => {});
		waiting.after(GRACE, () => waiting.reject(new Cancelled('the call was cancelled')));
	}

	// -- what comes over the channel

	/** For a call of ours. pusher-js has read the JSON already. */
	#take(data, take) {
		const waiting = this.#waiting.get(String(data?.id));
		if (waiting !== undefined)
			take.call(this, waiting, data).catch(e => waiting.reject(
				new BadReply(`a response that cannot be read: ${e.message}`,
					{ ran: 'unknown', cause: e })));
	}

	async #takeResponse(waiting, data, text = JSON.stringify(data)) {
		const record = fromJson(text);
		this.#noteInstance(record);
		waiting.resolve(record);
	}

	#noteInstance({ gateway, instance }) {
		if (typeof gateway !== 'string' || !/^[ -~]{1,64}$/.test(instance))
			return;
		this.#instances.set(gateway, instance);
		if (this.#instances.size > GATEWAYS_MAX)
			this.#instances.delete(this.#instances.keys().next().value);
	}

	/** What makes no record is dropped: the call is asked for again. */
	async #takePart(waiting, part) {
		const text = await waiting.assembly.add(part).catch(() => null);
		if (text !== null)
			await this.#takeResponse(waiting, null, text);
	}

	async #takeProgress(waiting, data) {
		waiting.takeProgress(fromJson(JSON.stringify(data)));
	}
}

/** A client that hears responses. Rejects as ready() does. */
export async function connectRemote(options) {
	const client = new RemoteClient(options);
	try {
		await client.ready();
	} catch (e) {
		client.close();
		throw e;
	}
	return client;
}

export * from './errors.js';
