# SPDX-License-Identifier: MIT
"""Restrictions by country, from a database of a few addresses, in both layouts that databases have."""
import subprocess

import pytest

from harness import ROOT

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
