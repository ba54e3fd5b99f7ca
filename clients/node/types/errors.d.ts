// SPDX-License-Identifier: MIT
// The errors of 'chapi': one class for each code of chapi-ipc(7).

export type Ran = 'no' | 'yes' | 'unknown';

export interface ErrorOptions {
	code?: string;
	ran?: Ran;
	details?: Record<string, any>;
	cause?: unknown;
}

/**
 * The base of all errors of chapi; itself used for codes that this version does not know. A handler
 * throws one to choose what its caller is told.
 */
export declare class ChapiError extends Error {
	constructor(message?: string, options?: ErrorOptions);
	/** What programs match, such as 'api_not_found'. */
	code: string;
	/** Whether the function was started: after 'no' it is safe to try again. */
	ran: Ran;
	/** More about it; depends on the code. */
	details: Record<string, any>;
	/** As it travels. */
	toRecord(): { code: string; message: string; ran: Ran; details?: Record<string, any> };
	/** The error of the right class for what a gateway sent. */
	static fromRecord(record: unknown): ChapiError;
}

/** The function itself failed; its own code, if it has one, is in details.code. */
export declare class ApiError extends ChapiError {}
/** The params do not fit the function, or an option has a wrong value. */
export declare class InvalidArgument extends ChapiError {}
/** There is no such name, or not one that this caller may see. */
export declare class ApiNotFound extends ChapiError {}
/** The name is taken. */
export declare class ApiExists extends ChapiError {}
/** The gateway's policy does not allow it. */
export declare class PermissionDenied extends ChapiError {}
/** A proof of identity is missing or wrong. */
export declare class Unauthenticated extends ChapiError {}
/** Something around it is not as it has to be: another app's gateway, no hub configured, ... */
export declare class FailedPrecondition extends ChapiError {}
/** Too much waits already; details.retry_after_ms says when to try again. */
export declare class Busy extends ChapiError {}
/** The budget of calls is spent; details.retry_after_ms says when to try again. */
export declare class RateLimited extends ChapiError {}
/** The function is paused or draining. */
export declare class Paused extends ChapiError {}
/** The hub cannot be reached or does not take the event. */
export declare class HubDown extends ChapiError {}
/** Nobody is at the other side. */
export declare class GatewayNotFound extends ChapiError {}
/** The request (ran: no) or its answer (ran: yes) is over a limit. */
export declare class TooLarge extends ChapiError {}
/** No answer came in time. */
export declare class DeadlineExceeded extends ChapiError {}
/** The call was cancelled. */
export declare class Cancelled extends ChapiError {}
/** The process that holds the function ended before it answered. */
export declare class ProviderGone extends ChapiError {}
/** A repeated id whose answer is no longer kept. */
export declare class AnswerLost extends ChapiError {}
/** An answer that cannot be expressed or read. */
export declare class BadReply extends ChapiError {}
/** A message that the gateway, or this library, cannot read. */
export declare class BadMessage extends ChapiError {}
/** Gateway and client speak different versions of the protocol. */
export declare class VersionMismatch extends ChapiError {}
/** A fault of chapi's own. */
export declare class Internal extends ChapiError {}
/** The gateway went away during the call, or (ran: no) before it was sent. */
export declare class ConnectionLost extends ChapiError {}
