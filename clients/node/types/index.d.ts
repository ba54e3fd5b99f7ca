// SPDX-License-Identifier: MIT
// What 'chapi' offers to programs. Times are in milliseconds unless they say otherwise.
import { EventEmitter } from 'node:events';

export * from './errors.js';

export declare const VERSION: string;

/** Where the gateway of this machine listens: given, else $CHAPI_SOCKET, else the usual places. */
export declare function socketPath(given?: string): string;

export interface ConnectOptions {
	/** Path of the gateway's socket; left out: $CHAPI_SOCKET, else the usual places. */
	socket?: string;
	/** A label for people, which monitors show. */
	name?: string;
	/**
	 * Of the hub's app that is expected: another gateway's is refused with
	 * FailedPrecondition.
	 */
	appKey?: string;
	/** How long a request waits for the connection; 5000 unless given. */
	connectTimeout?: number;
}

/** A client, connected. Rejects with ConnectionLost (ran: no) when no gateway came in time. */
export declare function connect(
	options?: ConnectOptions & { signal?: AbortSignal }): Promise<Client>;

export interface CallOptions {
	/**
	 * How long to wait for the answer, the queue included; left out: the function's own
	 * limit.
	 */
	timeout?: number;
	/** Aborted: the call is cancelled, and rejects with Cancelled. */
	signal?: AbortSignal;
	/**
	 * true: to be read from `progress` of what call() returns. A function: called with
	 * each value.
	 */
	progress?: boolean | ((value: any) => void);
	/** A label for logs, 1 to 64 printable ASCII characters. */
	id?: string;
	/** The name of another gateway. */
	to?: string;
	/** The result is the whole `CallRecord`, of a call that failed too. */
	full?: boolean;
	/** Not waited for: resolves as soon as the call is handed over. */
	oneway?: boolean;
}

/** A call under way: a promise of its result. */
export interface Call<T = any> extends Promise<T> {
	/**
	 * With progress: true, what the function says meanwhile; throws what the call rejects
	 * with.
	 */
	progress: AsyncIterableIterator<any>;
}

/** The record of a call. Times are seconds since 1970. */
export interface CallRecord {
	id: string;
	api: string;
	result: any;
	error: import('./errors.js').ChapiError | null;
	request_time: number;
	response_time: number;
	queue_ms: number;
	run_ms: number;
	gateway: string;
	instance: string;
	cached?: boolean;
}

/** Second argument of a handler: the call that it serves. */
export interface ServedCall {
	/**
	 * Aborted when nobody waits any more: cancelled, out of time, or the connection is
	 * lost.
	 */
	readonly signal: AbortSignal;
	/** Tells the caller how far it is. Does nothing for a caller that did not ask. */
	readonly progress: (value: any) => void;
	readonly api: string;
	/** The call's label. */
	readonly id: string;
	readonly origin: 'local' | 'remote';
	/** 'uid:1000'; 'claimed:LABEL' for a remote one, which proves nothing. */
	readonly caller: string;
	/** What the gateway says of the call, as it came. */
	readonly meta: Record<string, any>;
}

/** What it returns, or resolves with, is the result. What it throws becomes the caller's error. */
export type Handler = (params: any, call: ServedCall) => any;

/** See "register" in chapi-ipc(7). */
export interface NameOptions {
	policy?: 'exclusive' | 'replace' | 'share' | 'standby';
	/** Calls handed over at once; 0: no limit. */
	concurrency?: number;
	/** Calls that wait beyond that. */
	queue?: number;
	/** Of a call that names none. */
	timeout?: number;
	/** The most that a caller can have. */
	timeoutMax?: number;
	visibility?: 'local' | 'remote';
	/** To run it twice does no harm. */
	idempotent?: boolean;
	summary?: string;
	description?: string;
	version?: string;
	tags?: string[];
	/** Descriptions of the values, a subset of JSON Schema. */
	params?: object;
	result?: object;
}

/** What the gateway granted: name, state and the options. */
export type Granted = Record<string, any> & {
	name: string;
	state: 'active' | 'standby' | 'paused' | 'draining';
};

export interface MonitorOptions {
	kinds?: ('request' | 'response' | 'api' | 'peer' | 'hub')[];
	/** Patterns of names. */
	apis?: string[];
	/** With params and results. */
	bodies?: boolean;
}

/** Who reads too slowly loses the oldest; `lost` counts them. */
export interface Events extends AsyncIterableIterator<Record<string, any>> {
	lost: number;
}

/**
 * A connection to the gateway of this machine, made again when it is lost; names are registered
 * again then. Every method rejects with a ChapiError.
 */
export declare class Client extends EventEmitter {
	constructor(options?: ConnectOptions);

	/** The path of the socket. */
	readonly socket: string;
	readonly isConnected: boolean;
	/**
	 * What the gateway said of itself at the last connect: name, version, instance,
	 * limits ...
	 */
	readonly gateway: Record<string, any> | null;

	/** Until there is a connection. */
	ready(options?: { timeout?: number; signal?: AbortSignal }): Promise<void>;
	/** Ends it for good: names are free at once, calls under way get ConnectionLost. */
	close(): void;

	call<T = any>(api: string, params?: any, options?: CallOptions): Call<T>;

	/** Serves a name, until it is unregistered or lost. */
	register(name: string, handler: Handler, options?: NameOptions): Promise<Granted>;
	/** Gives a name back, also when it rejects; calls that run finish. */
	unregister(name: string): Promise<void>;
	update(name: string, options: NameOptions): Promise<Granted>;
	/** No new calls, until resume(); those in the queue wait. */
	pause(name: string): Promise<void>;
	resume(name: string): Promise<void>;
	/** No new calls; resolves when none runs any more. */
	drain(name: string, options?: { timeout?: number; signal?: AbortSignal }): Promise<void>;

	/** Names that fit a pattern, sorted. */
	list(pattern?: string, options?: { long?: boolean }): Promise<Record<string, any>[]>;
	describe(name: string): Promise<Record<string, any>>;
	/** Until all of the names are there. */
	wait(names: string | string[],
		options?: { timeout?: number; signal?: AbortSignal }): Promise<void>;
	status(): Promise<Record<string, any>>;
	stats(name?: string): Promise<Record<string, any>>;
	/** An event on the hub; resolves when the hub has it. */
	publish(channel: string, event: string, data?: any,
		options?: { timeout?: number; signal?: AbortSignal }): Promise<void>;
	/** What goes on at the gateway. A second monitor ends the first. */
	monitor(options?: MonitorOptions): Promise<Events>;
	/** Any method of chapi-ipc(7). */
	ask(method: string, params?: any[],
		options?: { timeout?: number; signal?: AbortSignal }): Promise<any>;

	on(event: 'connected', listener: () => void): this;
	/** The connection is lost, and is made again. */
	on(event: 'disconnected', listener: (error: Error) => void): this;
	/** A standby holds the name now. */
	on(event: 'granted', listener: (name: string) => void): this;
	/** The name is lost: 'replaced', 'admin', 'reload'. */
	on(event: 'revoked', listener: (name: string, reason: string) => void): this;
	/** After a reconnect: the name is held again. */
	on(event: 'restored', listener: (name: string, granted: Granted) => void): this;
	/** After a reconnect: the gateway does not give the name yet; it is asked again. */
	on(event: 'refused', listener: (name: string, error: Error) => void): this;
}
