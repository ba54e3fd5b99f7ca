# SPDX-License-Identifier: MIT
"""The version of this package and of the local protocol."""
VERSION = '0.1.0'
PROTOCOL = 1
