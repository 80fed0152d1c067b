# SPDX-License-Identifier: MIT
"""Where in a repository a configuration is: its folder, its overlay; and what of a repository is refused by name."""
import json
import re

import pytest

from harness import ROOT, behavior, cache_policy, distribution, header_policy, headgate, resource

LAYOUT = ("--path", "edge/eu", "--overlay", "prod")


def patch(kind, name, **fields):
    return {"apiVersion": "headgate/v1", "kind": kind, "metadata": {"name": name}, **fields}


def mark(value):
    return patch("ResponseHeadersPolicy", "mark", spec={"customHeaders": [{"header": "X-Mark", "value": value}]})


@pytest.fixture
def site(repository, origin):
    """A repository of many things, one of which is an edge's configuration: in edge/eu, with an overlay that marks responses."""
    origin.page("/page")
    repository.put("edge/eu/shop.yaml", distribution(origin.port, default=behavior(responseHeadersPolicy="mark")), cache_policy(),
                   header_policy(X_Mark="base"))
    repository.put("edge/eu/overlays/prod/mark.yaml", mark("prod"))
    repository.put("edge/eu/overlays/staging/mark.yaml", mark("staging"))
    repository.write("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\n")
    repository.commit("site")
    return repository


def mark_of(edge):
    return edge.get("/page").headers["x-mark"]


def test_an_edge_sees_its_folder_and_its_overlay(site, run):
    edge = run(*LAYOUT)
    assert mark_of(edge) == "prod"
    assert (edge.status()["source"]["path"], edge.status()["source"]["overlay"]) == ("edge/eu", "prod")
    edge.apply(site, "edge/eu/overlays/prod/mark.yaml", mark("better"))
    assert mark_of(edge) == "better"


def test_it_may_stand_in_the_edge_file(site, run, tmp_path):
    (tmp_path / "edge.yaml").write_text(json.dumps({"apiVersion": "headgate/v1", "kind": "Edge", "spec": {
        "source": {"url": str(site.path), "path": "./edge/eu/", "overlay": "staging"}}}))
    assert mark_of(run("--config", tmp_path / "edge.yaml", source=False)) == "staging"


def test_another_overlay_is_another_configuration_of_the_same_commit(site, run):
    edge = run(*LAYOUT)
    commit, generation = edge.status()["revisions"]["applied"], edge.status()["generation"]
    edge.stop()
    # What is resumed is what was live, as it was, also with the source away.
    site.path.rename(site.path.parent / "away")
    edge.arguments[edge.arguments.index("prod")] = "staging"
    edge.start()
    assert mark_of(edge) == "prod"
    (site.path.parent / "away").rename(site.path)
    edge.reconcile()
    edge.output.wait_for(rf"generation {generation + 1} \({commit[:7]}\) is live")
    assert mark_of(edge) == "staging"
    edge.command("rollback", "--to", generation, check=None)


def test_a_rollback_goes_back_to_the_overlay_that_was_live(site, run):
    edge = run(*LAYOUT)
    edge.apply(site, "edge/eu/overlays/prod/mark.yaml", mark("worse"))
    edge.command("rollback", check=0)
    assert mark_of(edge) == "prod"


def test_what_is_wrong_in_an_overlay_is_said_where_it_is(site, run):
    edge = run(*LAYOUT)
    site.write("edge/eu/overlays/prod/mark.yaml", "apiVersion: headgate/v1\nkind: ResponseHeadersPolicy\nmetadata: { name: mark }\n"
               "spec:\n  customHeader: []\n")
    status = edge.refuse(site)
    assert status["diagnostics"][0].startswith("edge/eu/overlays/prod/mark.yaml:5:3: error: [HG1201] unknown field \"customHeader\"")
    assert mark_of(edge) == "prod"


def test_what_ci_sees_is_what_the_edge_sees(site):
    for what in (".", "HEAD"):
        done = headgate("validate", what, *LAYOUT, cwd=site.path, check=0)
        assert "valid: 1 distributions in 2 files" in done.stdout
    assert "deployment.yaml:2:7: error" in headgate("validate", cwd=site.path, check=2).stdout
    done = headgate("validate", "--path", "edge/eu", "--overlay", "prdo", cwd=site.path, check=2)
    assert 'there is no overlay "prdo"' in done.stdout and 'did you mean "prod"?' in done.stdout
    assert "--path ../x" in headgate("validate", "--path", "../x", cwd=site.path, check=2).stderr

    expected = resource("Expect", "marks", {"distribution": "shop", "cases": [
        {"request": {"url": "http://shop.test/page"}, "expect": {"behavior": "*"}}]})
    site.put("edge/eu/overlays/prod/expect.yaml", {"$patch": "add", **expected})
    assert "all 1 expectations hold" in headgate("test", *LAYOUT, cwd=site.path, check=0).stdout
    assert "nothing was tested" in headgate("test", "--path", "edge/eu", cwd=site.path, check=0).stdout

    site.commit("tested")
    site.put("edge/eu/overlays/prod/mark.yaml", mark("other"))
    assert "prod → other" in headgate("diff", *LAYOUT, cwd=site.path, check=1).stdout
    headgate("diff", "--path", "edge/eu", "--overlay", "staging", cwd=site.path, check=0)
    explained = headgate("explain", "GET", "http://shop.test/page", *LAYOUT, cwd=site.path, check=0).stdout
    assert "other" in explained
    headgate("hook", "pre-commit", *LAYOUT, cwd=site.path, check=0)
    headgate("hook", "pre-commit", cwd=site.path, check=1)


def test_the_overlay_of_the_example():
    storefront = ROOT / "examples/storefront"
    files = {overlay: int(re.search(r"in (\d+) files", headgate("validate", storefront, *flags, check=0).stdout)[1])
             for overlay, flags in (("", ()), ("staging", ("--overlay", "staging")))}
    assert files["staging"] == files[""] + 1
    headgate("test", storefront, "--overlay", "staging", check=0)


def test_a_push_is_judged_by_the_overlay(site, run, tmp_path):
    target = tmp_path / "site.git"
    edge = run("--receive", target, *LAYOUT, source=False, wait=False)
    site.git("push", "--quiet", target, "HEAD:main")
    assert mark_of(edge) == "prod"
    site.put("edge/eu/overlays/prod/mark.yaml", patch("ResponseHeadersPolicy", "marc", spec={}))
    site.commit("wrong")
    with pytest.raises(AssertionError, match="there is no ResponseHeadersPolicy \"marc\" that this could change"):
        site.git("push", "--quiet", target, "HEAD:main")


def test_a_submodule_is_refused(serve, repository, tmp_path):
    edge = serve()
    repository.git("clone", "--quiet", ".", tmp_path / "other")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", tmp_path / "other", "policies")
    status = edge.refuse(repository)
    assert status["diagnostics"][0].startswith("policies: error: [HG1018] this is a submodule")
    # The same of the folder on disk, where the files are.
    assert "policies: error: [HG1018]" in headgate("validate", cwd=repository.path, check=2).stdout
    repository.write(".headgateignore", "policies/\n")
    edge.apply(repository)
    headgate("validate", cwd=repository.path, check=0)


def test_files_of_lfs_are_refused(serve, repository):
    edge = serve()
    repository.write("policy.yaml", json.dumps(cache_policy("other")))
    headgate("validate", cwd=repository.path, check=0)
    repository.write(".gitattributes", "policy.yaml filter=lfs diff=lfs merge=lfs -text\n")
    # On disk the file is whole; a commit has its pointer.
    assert "policy.yaml: error: [HG1019]" in headgate("validate", cwd=repository.path, check=2).stdout
    repository.remove(".gitattributes")
    repository.write("policy.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")
    status = edge.refuse(repository)
    assert status["diagnostics"][0].startswith('policy.yaml: error: [HG1019] "policy.yaml" is a pointer of Git LFS')
    assert "git lfs migrate export" in status["diagnostics"][0]
