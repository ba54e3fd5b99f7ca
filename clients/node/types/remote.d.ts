// SPDX-License-Identifier: MIT
// What 'chapi/remote' offers: calls over the hub. Times are in milliseconds. For web pages too.
import type { Call, CallOptions } from './index.js';

export * from './errors.js';

/** What is needed of a client of pusher-js. */
export interface Subscriber {
	subscribe(channel: string): any;
	unsubscribe(channel: string): void;
	connection: {
		state: string; socket_id: string;
		bind(event: string, handler: (data: any) => void): any;
		unbind(event: string, handler: (data: any) => void): any;
	};
}

/**
 * What is needed of one of pusher. Rejects with {status} where the hub refuses the event; one of
 * one's own may add headers, of which retry-after is obeyed.
 */
export interface Publisher {
	trigger(channel: string, event: string, data: any,
		params?: { socket_id?: string }): Promise<any>;
}

export interface RemoteOptions {
	/** A client of pusher-js. */
	pusher: Subscriber;
	/** One of pusher, where the app's secret is at hand; without: client events. */
	server?: Publisher;
	/** The gateway's: 'private-chapi-NAME'. */
	channel: string;
	/** A label for people. */
	name?: string;
	/** How long a call waits for the hub; 10000 unless given. */
	connectTimeout?: number;
}

/** Calls over the hub. A call whose answer may be lost is asked for again, and runs once. */
export declare class RemoteClient {
	constructor(options: RemoteOptions);
	/** Until responses can be heard. */
	ready(options?: { timeout?: number }): Promise<void>;
	/**
	 * 30000 is the timeout of a call that names none. Without a server it rejects with
	 * FailedPrecondition where the hub does not take client events; with one, with RateLimited
	 * or HubDown where the hub wants the next event after the call's time only: at once, unless
	 * the hub may have taken the request.
	 */
	call<T = any>(api: string, params?: any, options?: Omit<CallOptions, 'oneway'>): Call<T>;
	/**
	 * Leaves the channel; calls under way get ConnectionLost. The client of pusher-js
	 * stays.
	 */
	close(): void;
}

export declare function connectRemote(options: RemoteOptions): Promise<RemoteClient>;
