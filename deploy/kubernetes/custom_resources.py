"""Checks custom resources against custom_resources.yaml: `custom_resources.py FILE …` prints what does not fit.

Takes YAML files with any manifests in them, of which those of Kubernetes itself are for kubernetes-validate.
"""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

Manifest = dict[str, Any]

OF_KUBERNETES = {"apps", "autoscaling", "batch", "networking.k8s.io", "policy", "scheduling.k8s.io"}


def custom(manifests: list[Manifest]) -> list[Manifest]:
    """Return those of another API group than Kubernetes' own."""
    groups = [(each, each["apiVersion"].rpartition("/")[0]) for each in manifests]
    return [each for each, group in groups if group and group not in OF_KUBERNETES]


def errors(manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with a custom resource, each with where it is."""
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    validator = validators().get(f"{manifest['apiVersion']} {manifest['kind']}")
    if not validator:
        yield f"{name}: {manifest['apiVersion']} {manifest['kind']} is not in custom_resources.yaml"
        return
    for error in validator.iter_errors(manifest):
        yield f"{name}: {error.json_path.removeprefix('$.')}: {error.message}"


@cache
def validators() -> dict[str, Draft202012Validator]:
    """Return a validator for each kind."""
    text = Path(__file__).with_suffix(".yaml").read_text()
    read = closed(yaml.safe_load(text))
    envelope = {"required": ["metadata", "spec"], "additionalProperties": False}
    fields = {"apiVersion": True, "kind": True, "metadata": {"type": "object"}}
    return {
        kind: Draft202012Validator(
            {"definitions": read["definitions"], **envelope, "properties": {**fields, "spec": spec}}
        )
        for kind, spec in read["kinds"].items()
    }


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no properties but those that they list."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    lists_them = found.get("type") == "object" and "properties" in found
    return {"additionalProperties": False, **found} if lists_them else found


def main() -> None:
    """Check the files that the arguments name."""
    manifests = [each for file in sys.argv[1:] for each in yaml.safe_load_all(Path(file).read_text())]
    if found := [error for each in custom(manifests) for error in errors(each)]:
        sys.exit("\n".join(found))
    print(f"kubernetes: {len(custom(manifests))} custom resources fit the operators' definitions")


if __name__ == "__main__":
    main()
