# SPDX-License-Identifier: MIT
"""What the integration tests are made with: programs, sockets, hubs, clients."""
