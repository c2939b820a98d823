"""The Postman collection (format 2.1) made from an OpenAPI document.

Owns the translation. Requests carry the document's examples, so a collection runs as it is once
the variable `token` is set.
"""

import json
from typing import Any
from urllib.parse import quote

from torg.openapi_examples import of_schema
from torg.openapi_rules import operations_of

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def collection(document: dict[str, Any], address: str) -> dict[str, Any]:
    """The collection of a document.

    Args:
        document: OpenAPI 3.1.
        address: of the deployment; the collection's variable `base_url`.
    """
    folders: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, method, described in operations_of(document):
        item = _Request(document, path, method, described).item()
        folders.setdefault(described["tags"][0], []).append(item)
    texts = {tag["name"]: tag.get("description", "") for tag in document["tags"]}
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"].get("description", ""),
            "schema": _SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [_pair("token", "{{token}}", type="string")]},
        "variable": [
            _pair("base_url", address, type="string"),
            _pair("token", "", type="string"),
        ],
        "item": [
            {"name": name, "description": texts.get(name, ""), "item": items}
            for name, items in folders.items()
            if items
        ],
    }


class _Request:
    """One operation on its way to a Postman item."""

    def __init__(
        self, document: dict[str, Any], path: str, method: str, described: dict[str, Any]
    ) -> None:
        self._document = document
        self._path = path
        self._method = method.upper()
        self._described = described
        shared = document["paths"][path].get("parameters", [])
        self._parameters = [self._resolved(each) for each in [*shared, *described["parameters"]]]

    def item(self) -> dict[str, Any]:
        """The request with its examples of answers."""
        request: dict[str, Any] = {
            "method": self._method,
            "description": self._described.get("description", ""),
            "header": self._headers(),
            "url": self._url(),
        }
        if not self._described["security"]:
            request["auth"] = {"type": "noauth"}
        body = self._example(self._described.get("requestBody", {}), sent=True)
        if body is not None:
            request["body"] = _raw(body)
        return {
            "name": self._described["summary"],
            "request": request,
            "response": self._answers(request),
        }

    def _headers(self) -> list[dict[str, Any]]:
        found = [_pair("Accept", "application/json")]
        if "application/json" in self._described.get("requestBody", {}).get("content", {}):
            found.append(_pair("Content-Type", "application/json"))
        for each in self._parameters:
            if each["in"] == "header":
                found.append(self._parameter(each))
                if each["name"] == "Idempotency-Key":
                    found[-1].update(value="{{$guid}}", disabled=False)
        return found

    def _url(self) -> dict[str, Any]:
        query = [self._parameter(each) for each in self._parameters if each["in"] == "query"]
        variables = [
            _pair(each["name"], str(self._value(each)))
            for each in self._parameters
            if each["in"] == "path"
        ]
        words = [
            f":{word[1:-1]}" if word.startswith("{") else word
            for word in self._path.strip("/").split("/")
        ]
        sent = [each for each in query if not each["disabled"]]
        text = "&".join(f"{each['key']}={quote(each['value'], safe=',')}" for each in sent)
        return {
            "raw": f"{{{{base_url}}}}/{'/'.join(words)}" + (f"?{text}" if text else ""),
            "host": ["{{base_url}}"],
            "path": words,
            "query": query,
            "variable": variables,
        }

    def _parameter(self, each: dict[str, Any]) -> dict[str, Any]:
        return _pair(
            each["name"],
            str(self._value(each)),
            description=each.get("description", ""),
            disabled=not each.get("required", False),
        )

    def _value(self, parameter: dict[str, Any]) -> Any:
        value = of_schema(parameter["schema"], self._schemas(), sent=True)
        if isinstance(value, bool):
            return str(value).lower()
        return ",".join(map(str, value)) if isinstance(value, list) else value

    def _answers(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for status, answer in self._described["responses"].items():
            example = self._example(answer, sent=False)
            if example is None or not status.isdigit():
                continue
            kind = next(iter(answer["content"]))
            found.append(
                {
                    "name": answer["description"],
                    "originalRequest": request,
                    "status": answer["description"],
                    "code": int(status),
                    "header": [_pair("Content-Type", kind)],
                    "body": json.dumps(example, ensure_ascii=False, indent=2),
                }
            )
        return found

    def _example(self, part: dict[str, Any], *, sent: bool) -> Any:
        for content in part.get("content", {}).values():
            if "example" in content:
                return content["example"]
            for example in content.get("examples", {}).values():
                return example["value"]
            return of_schema(content["schema"], self._schemas(), sent=sent)
        return None

    def _schemas(self) -> dict[str, Any]:
        found: dict[str, Any] = self._document["components"].get("schemas", {})
        return found

    def _resolved(self, parameter: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in parameter:
            return parameter
        name = parameter["$ref"].rpartition("/")[2]
        found: dict[str, Any] = self._document["components"]["parameters"][name]
        return found


def _pair(key: str, value: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, **more}


def _raw(body: Any) -> dict[str, Any]:
    return {
        "mode": "raw",
        "raw": json.dumps(body, ensure_ascii=False, indent=2),
        "options": {"raw": {"language": "json"}},
    }
