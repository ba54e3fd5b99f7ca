# SPDX-License-Identifier: MIT
"""Functions of small computers, called from here or from afar.

`Server` registers functions with the gateway of this machine (chapi-gw); `Client` calls them,
through the gateway of this machine or over a hub. `AsyncServer` and `AsyncClient` are the same
for asyncio. Errors are classes of their own, one for each code, under `Error`.
"""
from .aclient import AsyncClient
from .aserver import AsyncServer
from .calls import Call, current_call
from .client import Client
from .errors import (AnswerLost, ApiError, ApiExists, ApiNotFound, BadMessage, BadReply, Busy,
                     Cancelled, ConnectionLost, DeadlineExceeded, Error, FailedPrecondition,
                     GatewayNotFound, HubDown, Internal, InvalidArgument, Paused,
                     PermissionDenied, ProviderGone, RateLimited, TooLarge, Unauthenticated,
                     VersionMismatch)
from .monitor import AsyncMonitor, Monitor
from .pusher import Pusher
from .records import Request, Response
from .server import Server
from .version import VERSION as __version__

__all__ = [
    'AnswerLost', 'ApiError', 'ApiExists', 'ApiNotFound', 'AsyncClient', 'AsyncMonitor',
    'AsyncServer', 'BadMessage', 'BadReply', 'Busy', 'Call', 'Cancelled', 'Client',
    'ConnectionLost', 'DeadlineExceeded', 'Error', 'FailedPrecondition', 'GatewayNotFound',
    'HubDown', 'Internal', 'InvalidArgument', 'Monitor', 'Paused', 'PermissionDenied',
    'ProviderGone', 'Pusher', 'RateLimited', 'Request', 'Response', 'Server', 'TooLarge',
    'Unauthenticated', 'VersionMismatch', '__version__', 'current_call',
]
