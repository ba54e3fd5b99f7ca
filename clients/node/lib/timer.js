// SPDX-License-Identifier: MIT
// Timers of any length. Those of JavaScript have 31 bits, and fire at once beyond. For web pages
// too.
const MOST = 2 ** 31 - 1;	// milliseconds: 24 days

/** As setTimeout(f, ms), but what takes longer than it can wait waits as long as it can. */
export function after(ms, f) {
	return setTimeout(f, Math.min(ms, MOST));
}

/** Resolves after ms. What only waits so keeps no process of Node from its end. */
export function sleepLightly(ms) {
	return new Promise(resolve => after(ms, resolve).unref?.());
}
