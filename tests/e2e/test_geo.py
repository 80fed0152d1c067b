# SPDX-License-Identifier: MIT
"""Restrictions by country, from a database of a few addresses, in both layouts that databases have."""
import subprocess

import pytest

from harness import ROOT, until

EDGE = "apiVersion: headgate/v1\nkind: Edge\nspec: { trustedProxies: [127.0.0.1] }\n"
NETWORKS = {"DE": "203.0.113.0/25", "NO": "203.0.113.128/25", "KP": "198.51.100.0/24"}
ADDRESSES = {"DE": "203.0.113.9", "NO": "203.0.113.200", "KP": "198.51.100.9", None: "192.0.2.1"}


@pytest.fixture(params=["nested", "flat"])
def database(request, tmp_path):
    """`nested`: country.iso_code; `flat`: country_code."""
    path = tmp_path / "geo.mmdb"
    entries = [f"{network}={country}" for country, network in NETWORKS.items()]
    subprocess.run([ROOT / "tests/support/make_mmdb.pl", "--layout", request.param, path, *entries], check=True)
    return path


@pytest.mark.parametrize("kind,locations,allowed", [
    ("whitelist", ["DE", "NO"], {"DE": 200, "NO": 200, "KP": 403, None: 403}),
    ("blacklist", ["KP"], {"DE": 200, "NO": 200, "KP": 403, None: 200})])
def test_countries(serve, origin, tmp_path, database, kind, locations, allowed):
    origin.page("/page")
    (tmp_path / "edge.yaml").write_text(EDGE)
    edge = serve(flags=["--config", tmp_path / "edge.yaml", "--geoip", database],
                 restrictions={"geo": {"type": kind, "locations": locations}})
    for country, status in allowed.items():
        assert edge.get("/page", X_Forwarded_For=ADDRESSES[country]).status == status, country


def test_without_a_database_every_country_is_unknown_and_a_condition_says_so(serve, origin):
    origin.page("/page")
    edge = serve(restrictions={"geo": {"type": "whitelist", "locations": ["DE"]}})
    assert edge.get("/page").status == 403
    assert any(c["type"] == "GeoDatabaseMissing" for c in edge.status()["conditions"])


def test_sighup_takes_a_new_database_and_keeps_the_old_one_when_the_new_one_is_broken(serve, origin, tmp_path):
    origin.page("/page")
    (tmp_path / "edge.yaml").write_text(EDGE)
    path = tmp_path / "geo.mmdb"

    def put(country):
        subprocess.run([ROOT / "tests/support/make_mmdb.pl", "--layout", "flat", tmp_path / "new.mmdb", f"203.0.113.0/24={country}"],
                       check=True)
        (tmp_path / "new.mmdb").rename(path)

    put("DE")
    edge = serve(flags=["--config", tmp_path / "edge.yaml", "--geoip", path],
                 restrictions={"geo": {"type": "whitelist", "locations": ["DE"]}})

    def status():
        return edge.get("/page", X_Forwarded_For="203.0.113.9").status

    assert status() == 200
    put("FR")
    edge.reconcile()
    until(lambda: status() == 403, "the new database to count")
    put("DE")
    edge.reconcile()
    until(lambda: status() == 200, "the next one to count")
    (tmp_path / "new.mmdb").write_bytes(b"not a database")
    (tmp_path / "new.mmdb").rename(path)
    edge.reconcile()
    edge.output.wait_for(r"--geoip: .*; the one before stays in use$")
    assert status() == 200
