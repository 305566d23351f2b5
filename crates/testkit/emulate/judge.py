"""Holds recorded requests to GitHub's OpenAPI description with openapi-core, which nobody here wrote.

usage: python judge.py DESCRIPTION REQUESTS   (JSON lines, as story.mjs writes them)
Exit code 1 when a request does not fit. The answers are emulate's, and not judged.
"""

import json
import sys
from urllib.parse import parse_qsl, urlsplit

from openapi_core import OpenAPI
from openapi_core.testing import MockRequest
from werkzeug.datastructures import ImmutableMultiDict

SERVER = "https://api.github.com"


def mended(node):
    """The description as openapi-core takes it: in OpenAPI 3.0 a nullable enum must name null itself."""
    if isinstance(node, dict):
        if node.get("nullable") and "enum" in node and None not in node["enum"]:
            node["enum"].append(None)
        for value in node.values():
            mended(value)
    elif isinstance(node, list):
        for value in node:
            mended(value)
    return node


def reason(error):
    """What is wrong, as short as it can be said."""
    cause = error.__cause__
    found = getattr(cause, "schema_errors", None) or []
    places = [f"{'/'.join(map(str, one.absolute_path)) or '/'}: {one.message[:160]}" for one in found]
    return "; ".join(places[:3]) or str(cause or error)


def main(description, requests):
    with open(description, encoding="utf-8") as file:
        document = mended(json.load(file))
    # Our copy has no prose, but the form asks for some.
    document["info"] = {"title": "GitHub", "version": "1"}
    document["servers"] = [{"url": SERVER}]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for responses in [document["components"].get("responses", {})] + [operation["responses"] for operation in operations]:
        for response in responses.values():
            if "$ref" not in response:
                response.setdefault("description", "")
    api = OpenAPI.from_dict(document)
    endpoints, wrong = set(), []
    with open(requests, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    for record in records:
        url = urlsplit(record["target"])
        request = MockRequest(
            SERVER,
            record["method"].lower(),
            url.path,
            args=ImmutableMultiDict(parse_qsl(url.query, keep_blank_values=True)),
            headers=record["headers"],
            data=record["body"].encode() or None,
            content_type=record["headers"].get("content-type", "application/json"),
        )
        endpoints.add(record["endpoint"])
        try:
            api.validate_request(request)
        except Exception as error:  # openapi-core has many kinds, without a common ancestor
            wrong.append(f"{record['method']} {record['target']}: {reason(error)}")
    for line in wrong:
        print(f"BAD {line}")
    print(f"openapi-core: {len(records)} requests to {len(endpoints)} endpoints, {len(wrong)} do not fit GitHub's description")
    return 1 if wrong or not records else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
