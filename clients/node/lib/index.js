// SPDX-License-Identifier: MIT
// chapi for Node: functions that other programs call, and calls of such functions, through the
// gateway of this machine. Over a hub, without a gateway: 'chapi/remote'.
export { Client, connect } from './client.js';
export * from './errors.js';
export { socketPath } from './socket.js';
export { VERSION } from './version.js';
