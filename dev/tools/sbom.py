"""Completes the bill of materials: `python -m tools.sbom SBOM LOCK LICENCES`.

The generator knows what is installed and under which licence; the lock knows the digests of the
files that an install may come from. Both are put into the CycloneDX file, the licences are listed,
and one that nobody has agreed to ends it with an error.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

AGREED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "Zlib"),
        *("PSF-2.0", "Python-2.0"),
        "MPL-2.0",  # of whole files, which are passed on as they are: certifi
    }
)
"""Licences by their SPDX identifiers under which a package may be passed on in the image."""
CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What older packages say in place of an identifier."""

Component = Mapping[str, Any]


def main(sbom: Path, lock: Path, listed: Path) -> int:
    """Complete the file, write the list; 1 where a licence or a package must not be passed on."""
    bill = json.loads(sbom.read_text(encoding="utf-8"))
    files = digests(lock.read_text(encoding="utf-8"))
    for component in bill["components"]:
        component.setdefault("externalReferences", []).append(_locked(component, files))
    sbom.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    listed.write_text("\n".join(table(bill["components"])) + "\n", encoding="utf-8")
    wrong = [*problems(bill["components"], files)]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(bill['components'])} packages: {sbom}, {listed}")
    return 1 if wrong else 0


def digests(lock: str) -> dict[str, list[str]]:
    """SHA-256 digests that the lock allows, by `name==version`, the name normalised."""
    found: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=\S)", lock):
        head = re.match(r"([\w.-]+(?:\[[^]]*\])?==[^\s;\\]+)", entry)
        if head:
            found[_normal(re.sub(r"\[[^]]*\]", "", head[1]))] = re.findall(
                r"--hash=sha256:([0-9a-f]{64})", entry
            )
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+(?=.*==)", "-", name).lower()


def _key(component: Component) -> str:
    return _normal(f"{component['name']}=={component['version']}")


def _locked(component: Component, files: Mapping[str, list[str]]) -> dict[str, object]:
    """Where it is had, and what the file must be: one of these."""
    return {
        "type": "distribution",
        "comment": "any one of the files of this version that the lock allows",
        "url": component.get("purl", ""),
        "hashes": [{"alg": "SHA-256", "content": one} for one in files.get(_key(component), [])],
    }


def licences(component: Component) -> tuple[str, ...]:
    """SPDX identifiers and expressions that a package declares, sorted."""
    said = (_said(one) for one in component.get("licenses", ()))
    return tuple(sorted({CLASSIFIERS.get(one, one) for one in said}))


def _said(licence: Mapping[str, Any]) -> str:
    if "expression" in licence:
        return str(licence["expression"])
    named = licence["license"]
    return str(named.get("id") or named.get("name"))


def problems(components: list[Component], files: Mapping[str, list[str]]) -> Iterator[str]:
    """What must not be passed on."""
    for one in components:
        words = {word for said in licences(one) for word in re.split(r" AND | OR |[()]", said)}
        strange = sorted(words - AGREED - {""})
        if strange or not words:
            said = ", ".join(strange) or "none"
            yield f"{one['name']} {one['version']}: licence not agreed to: {said}"
        if not files.get(_key(one)):
            yield f"{one['name']} {one['version']} is not in the lock"


def table(components: list[Component]) -> Iterator[str]:
    """The licences as a page of Markdown."""
    yield "# Licences of what is shipped\n"
    yield "| package | version | licence |"
    yield "|---|---|---|"
    for one in sorted(components, key=lambda one: one["name"].lower()):
        yield f"| {one['name']} | {one['version']} | {', '.join(licences(one)) or 'unknown'} |"


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))
