# SPDX-License-Identifier: MIT
"""What a function tells about itself: docstring and type hints become the options of its API."""
from __future__ import annotations

import inspect
import typing
from typing import Any, Callable, Dict, Optional, Tuple

_TYPES = {str: 'string', bool: 'boolean', int: 'integer', float: 'number', bytes: 'binary',
          type(None): 'null', list: 'array', tuple: 'array', dict: 'object'}
SUMMARY_MAX = 256           # bytes that a gateway takes
DESCRIPTION_MAX = 8192


def describe(function: Callable[..., Any]) -> Dict[str, Any]:
    """summary, description, params and result of a function, as far as it tells them.

    Raises TypeError for a function that cannot be called with keyword arguments only.
    """
    options: Dict[str, Any] = {}
    summary, description = _read_docstring(function)
    if summary:
        options['summary'] = _cut(summary, SUMMARY_MAX)
    if description:
        options['description'] = _cut(description, DESCRIPTION_MAX)
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):
        hints = {}      # hints that only a type checker can read
    params = _params_schema(function, hints)
    if params is not None:
        options['params'] = params
    result = _schema(hints['return']) if 'return' in hints else {}
    if result:
        options['result'] = result
    return options


def _read_docstring(function: Callable[..., Any]) -> Tuple[str, str]:
    summary, _, description = (inspect.getdoc(function) or '').partition('\n\n')
    return ' '.join(summary.split()), description.strip()


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors='ignore')


def _params_schema(function: Callable[..., Any], hints: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    properties: Dict[str, Any] = {}
    required = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(
                '%s() has positional-only parameters, but params go by name' % function.__name__)
        schema = _schema(hints.get(parameter.name, Any))
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif type(parameter.default) in (str, bool, int, float):
            schema['default'] = parameter.default
        properties[parameter.name] = schema
    if not properties:
        return None
    options: Dict[str, Any] = {'type': 'object', 'properties': properties}
    if required:
        options['required'] = required
    return options


def _schema(hint: Any) -> Dict[str, Any]:
    """{} for what has no single type, such as Optional: anything fits that."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {'enum': list(arguments)}
    kind = _TYPES.get(origin or hint)
    if kind is None:
        return {}
    schema: Dict[str, Any] = {'type': kind}
    if origin is list and arguments:
        items = _schema(arguments[0])
        if items:
            schema['items'] = items
    return schema
