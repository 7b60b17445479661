# SPDX-License-Identifier: Apache-2.0
"""The API's description as a page: made here from the OpenAPI, since the usual one loads its program from a CDN."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
article { border: 1px solid #8886; border-radius: .5rem; padding: .5rem 1rem; margin: .75rem 0 }
h2 { font-size: 1rem; margin: 0 } h2 code { font-weight: 600 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700 }
"""
# Nothing but this style, by its digest.
API_PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def api_page(openapi: Mapping[str, Any]) -> str:
    """All routes with their fields, as HTML without any script."""
    schemas = openapi.get('components', {}).get('schemas', {})
    parts = []
    for path, methods in openapi['paths'].items():
        for method, route in methods.items():
            parts.append(_route(path, method, route, schemas))
    title, version = escape(openapi['info']['title']), escape(openapi['info']['version'])
    words = escape(openapi['info'].get('description', ''))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style>{_STYLE}</style></head><body><main><h1>{title} {version}</h1><p>{words}</p>'
        f'<p><a href="/openapi.json">openapi.json</a></p>{"".join(parts)}</main></body></html>'
    )


def _route(path: str, method: str, route: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    words = escape(route.get('description') or route.get('summary', ''))
    content = route.get('requestBody', {}).get('content', {}).get('application/json', {}).get('schema', {})
    schema = schemas.get(str(content.get('$ref', '')).rsplit('/', 1)[-1], content)
    required = schema.get('required', ())
    rows = ''.join(
        f'<tr><td><code>{escape(name)}</code></td><td>{escape(field_type(field))}</td>'
        f'<td>{"required" if name in required else field_default(field)}</td>'
        f'<td>{escape(field.get("description", ""))}</td></tr>'
        for name, field in schema.get('properties', {}).items()
    )
    table = f'<table><tr><th>field<th>type<th>default<th>meaning</tr>{rows}</table>' if rows else ''
    return (
        f'<article><h2><span class="method">{method.upper()}</span><code>{escape(path)}</code></h2>'
        f'<p>{words}</p>{table}</article>'
    )


def field_type(field: Mapping[str, Any]) -> str:
    """`number -1 .. 1`, `string`, `eo or ir` ..."""
    if 'anyOf' in field:
        return ' or '.join(field_type(each) for each in field['anyOf'] if each.get('type') != 'null')
    if 'enum' in field:
        return ' or '.join(map(str, field['enum']))
    if 'const' in field:
        return json.dumps(field['const'])
    ends = [field.get('minimum'), field.get('maximum')]
    limits = f' {ends[0]:g} .. {ends[1]:g}' if None not in ends else ''
    return f'{field.get("type", "any")}{limits}'


def field_default(field: Mapping[str, Any]) -> str:
    """As JSON; empty where there is none."""
    return escape(json.dumps(field['default'])) if field.get('default') is not None else ''
