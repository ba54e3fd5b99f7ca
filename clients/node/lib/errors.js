// SPDX-License-Identifier: MIT
// What can go wrong with a call: a class for each code, and what it says of whether the
// function was started.

/**
 * The base of all errors of chapi; itself used for codes that this version does not know.
 *
 * code: what programs match. message: one line for people. ran: 'no', 'yes' or 'unknown', whether
 * the function was started: after 'no' it is safe to try again. details: more, depends on the code.
 */
export class ChapiError extends Error {
	constructor(message = '', { code, ran, details, cause } = {}) {
		super(message, cause === undefined ? undefined : { cause });
		this.code = code ?? this.constructor.code ?? 'internal';
		this.ran = ran ?? this.constructor.ran ?? 'unknown';
		this.details = details ?? {};
	}

	get name() {
		return this.constructor.name;
	}

	/** As it travels: {code, message, ran, details?}. */
	toRecord() {
		const record = { code: this.code, message: this.message, ran: this.ran };
		return Object.keys(this.details).length > 0 ? { ...record, details: this.details }
			: record;
	}

	/** The error of the right class for what a gateway sent. */
	static fromRecord(record) {
		if (typeof record !== 'object' || record === null)
			return new Internal(`an error that cannot be read: ${String(record)}`);
		const { code = 'internal', message = '', ran = 'unknown', details } = record;
		const Class = CLASSES.get(code) ?? ChapiError;
		return new Class(String(message), {
			code: String(code), ran: String(ran),
			details: typeof details === 'object' && details !== null ? details
				: undefined,
		});
	}
}

/** The function itself failed; its own code, if it has one, is in details.code. */
export class ApiError extends ChapiError { static code = 'api_error'; static ran = 'yes'; }
/** The params do not fit the function, or an option has a wrong value. */
export class InvalidArgument extends ChapiError {
	static code = 'invalid_argument';
	static ran = 'no';
}
/** There is no such name, or not one that this caller may see. */
export class ApiNotFound extends ChapiError { static code = 'api_not_found'; static ran = 'no'; }
/** The name is taken. */
export class ApiExists extends ChapiError { static code = 'api_exists'; static ran = 'no'; }
/** The gateway's policy does not allow it. */
export class PermissionDenied extends ChapiError {
	static code = 'permission_denied';
	static ran = 'no';
}
/** A proof of identity is missing or wrong. */
export class Unauthenticated extends ChapiError {
	static code = 'unauthenticated';
	static ran = 'no';
}
/** Something around it is not as it has to be: another app's gateway, no hub configured, ... */
export class FailedPrecondition extends ChapiError {
	static code = 'failed_precondition';
	static ran = 'no';
}
/** Too much waits already; details.retry_after_ms says when to try again. */
export class Busy extends ChapiError { static code = 'busy'; static ran = 'no'; }
/** The budget of calls is spent; details.retry_after_ms says when to try again. */
export class RateLimited extends ChapiError { static code = 'rate_limited'; static ran = 'no'; }
/** The function is paused or draining. */
export class Paused extends ChapiError { static code = 'paused'; static ran = 'no'; }
/** The hub cannot be reached or does not take the event. */
export class HubDown extends ChapiError { static code = 'hub_down'; static ran = 'no'; }
/** Nobody is at the other side; there may have been when the call was sent. */
export class GatewayNotFound extends ChapiError { static code = 'gateway_not_found'; }
/** The request (ran: no) or its answer (ran: yes) is over a limit. */
export class TooLarge extends ChapiError { static code = 'too_large'; static ran = 'no'; }
/** No answer came in time. */
export class DeadlineExceeded extends ChapiError { static code = 'deadline_exceeded'; }
/** The call was cancelled. */
export class Cancelled extends ChapiError { static code = 'cancelled'; }
/** The process that holds the function ended before it answered. */
export class ProviderGone extends ChapiError { static code = 'provider_gone'; }
/** A repeated id whose answer is no longer kept. */
export class AnswerLost extends ChapiError { static code = 'answer_lost'; }
/** An answer that cannot be expressed or read. */
export class BadReply extends ChapiError { static code = 'bad_reply'; static ran = 'yes'; }
/** A message that the gateway, or this library, cannot read. */
export class BadMessage extends ChapiError { static code = 'bad_message'; static ran = 'no'; }
/** Gateway and client speak different versions of the protocol. */
export class VersionMismatch extends ChapiError {
	static code = 'version_mismatch';
	static ran = 'no';
}
/** A fault of chapi's own. */
export class Internal extends ChapiError { static code = 'internal'; }
/** The gateway went away during the call, or (ran: no) before it was sent. */
export class ConnectionLost extends ChapiError { static code = 'connection_lost'; }

const CLASSES = new Map([
	ApiError, InvalidArgument, ApiNotFound, ApiExists, PermissionDenied, Unauthenticated,
	FailedPrecondition, Busy, RateLimited, Paused, HubDown, GatewayNotFound, TooLarge,
	DeadlineExceeded, Cancelled, ProviderGone, AnswerLost, BadReply, BadMessage,
	VersionMismatch,
	Internal, ConnectionLost,
].map(Class => [Class.code, Class]));
