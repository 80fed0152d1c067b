# SPDX-License-Identifier: MIT
"""sbom.py PACKAGES.tsv REPOSITORY VERSION: what an image is made of, in SPDX 2.3, on standard output. PACKAGES.tsv has a Debian package a
line: name, version, architecture, source, version of the source. What is compiled into the program comes from the pins of the
repository (source.lock)."""
import hashlib
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path


def package(identity, name, version, supplier, purl, source):
    return {"SPDXID": f"SPDXRef-{identity}", "name": name, "versionInfo": version, "supplier": supplier, "sourceInfo": source,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]}


def escaped(version):
    return version.replace("+", "%2B").replace(":", "%3A").replace("~", "%7E")


def debian(number, line):
    name, version, architecture, source, source_version = line.split("\t")
    purl = f"pkg:deb/debian/{name}@{escaped(version)}?arch={architecture}&distro=debian-12"
    return package(f"Debian-{number}", name, version, "Organization: Debian", purl, f"built from {source} {source_version}")


def pinned(lock):
    """A source package that is compiled into the program, with our patches."""
    fields = dict(line.split("=", 1) for line in lock.read_text().splitlines() if "=" in line and not line.startswith("#"))
    name, version = fields["package"], fields["version"]
    patches = len(list((lock.parent / "patches").glob("*.patch")))
    return package(f"Source-{name}", name, version, "Organization: Debian", f"pkg:deb/debian/{name}@{escaped(version)}?arch=source",
                   f"compiled into headgate with {patches} patches")


def main(table, repository, version):
    raw = Path(table).read_text()
    packages = [debian(number, line) for number, line in enumerate(raw.splitlines())]
    packages += [pinned(lock) for lock in sorted(Path(repository).glob("appliance/*/source.lock"))]
    when = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256(json.dumps(packages).encode()).hexdigest()
    json.dump({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"headgate-{version}",
        "documentNamespace": f"https://headgate.invalid/spdx/{version}-{digest}",
        "creationInfo": {"created": when, "creators": ["Tool: images/vm/sbom.py"]}, "packages": packages,
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": one["SPDXID"]}
                          for one in packages]}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
