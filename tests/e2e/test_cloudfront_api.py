# SPDX-License-Identifier: MIT
"""CloudFront's invalidation API, driven by AWS's own SDK."""
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import DEADLINE, invalidation

HERE = Path(__file__).parent / "aws"


@pytest.fixture(scope="session")
def sdk(tmp_path_factory):
    """Installs the SDK at the versions of the lock file; returns a function that makes one call."""
    folder = tmp_path_factory.mktemp("aws")
    for file in HERE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"], cwd=folder,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr

    def call(edge, command, **data):
        ran = subprocess.run(["node", "invalidate.mjs", f"http://{edge.admin}", command + "Command", json.dumps(data)], cwd=folder,
                             capture_output=True, text=True, timeout=DEADLINE)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    return call


def batch(reference, *paths):
    return {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}


def test_create_get_and_list(sdk, serve, origin, repository):
    origin.page("/page", "one")
    edge = serve()
    edge.get("/page")
    assert edge.get("/page").is_hit
    origin.page("/page", "two")
    created = sdk(edge, "CreateInvalidation", DistributionId="shop", InvalidationBatch=batch("2026-11-20T10:00:00.000Z/1", "/page"))
    assert created["status"] == 201
    answer = edge.get("/page")
    assert (answer.is_hit, answer.body) == (False, b"two")
    made = created["Invalidation"]
    assert made["Status"] == "Completed" and made["CreateTime"].startswith("20")
    assert made["InvalidationBatch"] == batch("2026-11-20T10:00:00.000Z/1", "/page")
    assert "/2020-05-31/distribution/shop/invalidation/" in created["Location"]

    got = sdk(edge, "GetInvalidation", DistributionId="shop", Id=made["Id"])
    assert got == {"status": 200, "Invalidation": made}
    for number in range(3):
        sdk(edge, "CreateInvalidation", DistributionId="shop", InvalidationBatch=batch(f"more-{number}", "/x*", "#Tag"))
    seen, marker = [], None
    while True:
        page = sdk(edge, "ListInvalidations", DistributionId="shop", MaxItems=2, **({"Marker": marker} if marker else {}))
        summaries = page["InvalidationList"]
        assert summaries["Quantity"] == len(summaries["Items"]) <= 2
        seen += [item["Id"] for item in summaries["Items"]]
        marker = summaries.get("NextMarker")
        if not summaries["IsTruncated"]:
            break
    assert sorted(seen) == sorted([made["Id"], "more-0", "more-1", "more-2"])
    assert sdk(edge, "GetInvalidation", DistributionId="shop", Id="more-0")["Invalidation"]["InvalidationBatch"] == \
        batch("more-0", "/x*", "#tag")


def test_the_caller_reference_is_the_identity_here_and_in_git(sdk, serve, origin, repository):
    origin.page("/page")
    edge = serve()

    def create(reference, *paths):
        return sdk(edge, "CreateInvalidation", DistributionId="shop", InvalidationBatch=batch(reference, *paths))

    first = create("spring", "/page")
    edge.get("/page")
    again = create("spring", "/page")
    assert again == first  # the same information, and nothing is done
    assert edge.get("/page").is_hit
    other = create("spring", "/elsewhere")
    assert (other["status"], other["error"]) == (409, "InvalidationBatchAlreadyExists")
    edge.apply(repository, "spring.yaml", invalidation("spring", "/page"))
    assert edge.get("/page").is_hit  # it comes by git: a fact that is known
    repository.put("spring.yaml", invalidation("spring", "/elsewhere"))
    assert "HG1501" in json.dumps(edge.refuse(repository))


@pytest.mark.parametrize("distribution,paths,status,error", [
    ("nothing", ["/a"], 404, "NoSuchDistribution"), ("shop", ["/a b"], 400, "InvalidArgument"), ("shop", ["#a,b"], 400, "InvalidArgument"),
    ("shop", [f"/{n}" for n in range(3001)], 413, "BatchTooLarge"),
    ("shop", [f"/{n}*x" for n in range(257)], 429, "TooManyInvalidationsInProgress")])
def test_what_is_wrong_has_cloudfronts_name(sdk, serve, origin, distribution, paths, status, error):
    answer = sdk(serve(), "CreateInvalidation", DistributionId=distribution, InvalidationBatch=batch("wrong", *paths))
    assert (answer["status"], answer["error"]) == (status, error), answer


def test_with_a_token_the_sdk_sends_it_by_a_middleware(sdk, serve, origin, run, monkeypatch):
    serve().stop()
    edge = run(env={"HEADGATE_ADMIN_TOKEN": "secret"}, state="guarded")
    denied = sdk(edge, "CreateInvalidation", DistributionId="shop", InvalidationBatch=batch("one", "/a"))
    assert (denied["status"], denied["error"]) == (401, "AccessDenied")
    monkeypatch.setenv("HEADGATE_ADMIN_TOKEN", "secret")
    assert sdk(edge, "CreateInvalidation", DistributionId="shop", InvalidationBatch=batch("one", "/a"))["status"] == 201


def test_quantity_must_be_right_and_what_is_not_there_is_not_found(sdk, serve, origin):
    edge = serve()
    wrong = {**batch("wrong", "/a"), "Paths": {"Quantity": 2, "Items": ["/a"]}}
    answer = sdk(edge, "CreateInvalidation", DistributionId="shop", InvalidationBatch=wrong)
    assert (answer["status"], answer["error"]) == (400, "InconsistentQuantities")
    answer = sdk(edge, "GetInvalidation", DistributionId="shop", Id="nothing")
    assert (answer["status"], answer["error"]) == (404, "NoSuchInvalidation")
    answer = sdk(edge, "ListInvalidations", DistributionId="nothing")
    assert (answer["status"], answer["error"]) == (404, "NoSuchDistribution")
