# SPDX-License-Identifier: MIT
"""sbom.py PACKAGES REPOSITORY VERSION: what an image is made of, in SPDX 2.3, on standard output. PACKAGES has a Debian package a
line: name, version, architecture, source, version of the source; or it is a folder with dpkg's record of one in each file. What is compiled into the program comes from the pins of the
repository (source.lock)."""
import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

LINKED = ("libnghttp3-dev", "libngtcp2-crypto-gnutls-dev", "libngtcp2-dev")


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


def linked(name):
    """A library of this machine, where the program was compiled, that is linked into it statically: see CMakeLists.txt."""
    version = subprocess.run(["dpkg-query", "--show", "--showformat", "${Version}", name], capture_output=True, text=True, check=True).stdout
    return package(f"Linked-{name}", name, version, "Organization: Debian", f"pkg:deb/debian/{name}@{escaped(version)}",
                   "linked into headgate statically")


def records(folder):
    """The same lines, of dpkg's records."""
    for file in sorted(folder.iterdir()):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", file.read_text(), re.MULTILINE))
        name, version = fields["Package"], fields["Version"]
        source, _, source_version = fields.get("Source", name).partition(" ")
        yield "\t".join((name, version, fields["Architecture"], source, source_version.strip("()") or version))


def main(table, repository, version):
    table = Path(table)
    lines = records(table) if table.is_dir() else table.read_text().splitlines()
    packages = [debian(number, line) for number, line in enumerate(lines)]
    packages += [pinned(lock) for lock in sorted(Path(repository).glob("appliance/*/source.lock"))]
    packages += [linked(name) for name in LINKED]
    when = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256(json.dumps(packages).encode()).hexdigest()
    json.dump({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"headgate-{version}",
        "documentNamespace": f"https://headgate.invalid/spdx/{version}-{digest}",
        "creationInfo": {"created": when, "creators": ["Tool: images/sbom.py"]}, "packages": packages,
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": one["SPDXID"]}
                          for one in packages]}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
