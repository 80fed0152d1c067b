# SPDX-License-Identifier: MIT
"""The cache on disk: warm after any end of the process, and never older, more or other than what may be served."""
import concurrent.futures
import resource as limits
import shutil

import pytest

from harness import behavior, cache_policy, distribution, headgate, invalidation, resource, until
from origin import Reply
from origin_file import File

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path):
    return tmp_path / "cache.disk"


@pytest.fixture
def on_disk(serve, disk):
    """An edge with 64 MiB of disk."""

    def start(*resources, flags=(), **spec):
        edge = serve(*resources, flags=["--cache-disk", f"{disk}:64MiB", *flags], **spec)
        until_recovered(edge)
        return edge

    return start


def until_recovered(edge):
    until(lambda: edge.metric("headgate_cache_disk_recovered") == {"": 1}, "the disk to be known again")


def records(edge):
    return edge.metric("headgate_cache_disk_records")[""]


def keep(edge, *paths, records_of_each=1, **fields):
    """Uses each a second time, and waits until all that makes of it is on the disk."""
    before = records(edge)
    for path in paths:
        edge.get(path, **fields)
        assert edge.get(path, **fields).is_hit, path
    until(lambda: records(edge) >= before + len(paths) * records_of_each, "the disk to have them")


def restart(edge, how="kill"):
    getattr(edge, how)()
    edge.start()
    until_recovered(edge)


def is_disk_hit(answer):
    return answer.is_hit and "detail=disk" in answer.cache_status


def condition(edge, kind="CacheDiskOff"):
    return next((c for c in edge.status()["conditions"] if c["type"] == kind), None)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_an_edge_is_warm_after_it_was_killed_or_stopped(on_disk, origin, how):
    bodies = {f"/page-{n}": bytes([n]) * size for n, size in enumerate([0, 1, 511, 4096, 70_000, 300_000])}
    for path, body in bodies.items():
        origin.page(path, body, x_number=path)
    edge = on_disk()
    keep(edge, *bodies)
    asked = origin.count()
    restart(edge, how)
    for path, body in bodies.items():
        first = edge.get(path)
        assert is_disk_hit(first), first
        assert first.body == body and first.headers["x-number"] == path and "age" in first.headers
        again = edge.get(path)
        assert again.is_hit and "disk" not in again.cache_status and again.body == body
    assert origin.count() == asked, "the origin was asked for what was on the disk"
    assert edge.metric("headgate_cache_disk_reads_total")['result="hit"'] == len(bodies)


def test_what_was_used_once_is_not_written(on_disk, origin):
    for path in ("/once", "/twice"):
        origin.page(path)
    edge = on_disk()
    edge.get("/once")
    keep(edge, "/twice")
    assert edge.metric("headgate_cache_disk_written_total") == {"": 1}
    restart(edge)
    assert is_disk_hit(edge.get("/twice")) and not edge.get("/once").is_hit


def test_the_access_log_tells_where_a_hit_was(on_disk, origin, tmp_path):
    origin.page("/page")
    edge = on_disk(flags=["--access-log", "-"])
    keep(edge, "/page")
    restart(edge)
    edge.get("/page")
    edge.get("/page")
    edge.output.wait_for(r'"outcome":"fresh_hit","tier":"disk"')
    edge.output.wait_for(r'"outcome":"fresh_hit","bytes_sent"')


def test_each_variant_comes_back_to_who_asks_for_it(on_disk, origin):
    origin.route("/page", lambda request: Reply(body=request.header("Accept-Language").encode(), headers={"Vary": "Accept-Language"}))
    edge = on_disk(resource("OriginRequestPolicy", "viewer", {
        "headers": {"behavior": "allViewer"}, "cookies": {"behavior": "none"}, "queryStrings": {"behavior": "none"}}),
        default=behavior(originRequestPolicy="viewer"))
    for language in ("de", "fr"):
        edge.get("/page", Accept_Language=language)
        assert edge.get("/page", Accept_Language=language).is_hit
    until(lambda: records(edge) == 3, "two variants, and what they vary by")
    restart(edge)
    for language in ("fr", "de"):
        answer = edge.get("/page", Accept_Language=language)
        assert is_disk_hit(answer) and answer.body == language.encode()
    assert edge.get("/page", Accept_Language="it").body == b"it"


def test_one_read_serves_all_who_wait(on_disk, origin):
    body = b"x" * 200_000
    origin.page("/page", body)
    edge = on_disk(flags=["--threads", "4"])
    keep(edge, "/page")
    asked = origin.count()
    restart(edge)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: edge.get("/page"), range(64)))
    assert all(answer.is_hit and answer.body == body for answer in answers)
    assert edge.metric("headgate_cache_disk_reads_total") == {'result="hit"': 1, 'result="miss"': 0, 'result="refused"': 0}
    assert origin.count() == asked


def test_the_next_process_gets_the_disk(on_disk, origin):
    origin.page("/page", "one")
    origin.page("/other", "other")
    edge = on_disk()
    keep(edge, "/page", "/other")
    edge.command("purge", "shop", "/page", "--mode", "delete", check=0)
    origin.page("/page", "two")
    edge.hand_over()
    until_recovered(edge)
    assert condition(edge) is None
    assert is_disk_hit(edge.get("/other"))
    assert edge.get("/page").body == b"two"


def test_a_film_that_was_asked_for_twice_comes_from_the_disk(on_disk, origin):
    """In slices, of which memory would not keep all."""
    film = origin.route("/film", File(24 * MIB + 12345))
    edge = on_disk(flags=["--cache-memory", "20MiB"])
    for _ in range(3):
        assert edge.get("/film").body == film.bytes()
    until(lambda: records(edge) == 26, "the whole and its slices")
    asked = origin.count()
    restart(edge)
    answer = edge.get("/film")
    assert is_disk_hit(answer) and answer.body == film.bytes()
    part = edge.get("/film", Range=f"bytes={20 * MIB}-{20 * MIB + 9}")
    assert part.status == 206 and part.is_hit and part.body == film.bytes()[20 * MIB:20 * MIB + 10]
    assert origin.count() == asked


# --- What is gone stays gone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("select", [["/page"], ["/*"], ["--tag", "news"]])
def test_what_was_purged_never_comes_back(on_disk, origin, select):
    origin.page("/page", "one", surrogate_key="news")
    edge = on_disk()
    keep(edge, "/page")
    origin.page("/page", "two", surrogate_key="news")
    edge.command("purge", "shop", *select, "--mode", "delete", check=0)
    edge.kill()  # the purge has been acknowledged
    edge.start()
    until_recovered(edge)
    answer = edge.get("/page")
    assert not answer.is_hit and answer.body == b"two"
    restart(edge)
    assert edge.get("/page").body == b"two"


def test_a_purge_while_the_edge_was_down_holds(on_disk, origin, repository):
    """The commit comes with the first look at the repository after the start."""
    origin.page("/page", "one")
    edge = on_disk()
    keep(edge, "/page")
    edge.kill()
    origin.page("/page", "two")
    repository.put("purge.yaml", invalidation("all", "/*", mode="delete"))
    commit = repository.commit("purge")
    edge.start()
    until_recovered(edge)
    edge.wait(commit)
    assert edge.get("/page").body == b"two"


def test_what_is_to_be_revalidated_is_and_costs_no_octets(on_disk, origin):
    origin.route("/page", lambda request: Reply(304, headers={"ETag": '"v1"'}) if request.header("If-None-Match") == '"v1"'
                 else Reply(body=b"one", headers={"ETag": '"v1"'}))
    edge = on_disk()
    keep(edge, "/page")
    edge.command("purge", "shop", "/page", check=0)
    restart(edge)
    answer = edge.get("/page")
    assert "fwd=stale; fwd-status=304" in answer.cache_status and answer.body == b"one"
    assert edge.get("/page").is_hit


def test_what_an_unsafe_method_has_changed_is_revalidated_after_a_restart(on_disk, origin):
    origin.page("/page", "one")
    origin.page("/other", "other")
    edge = on_disk(default=behavior(allowedMethods=["ALL"]))
    keep(edge, "/page", "/other")
    before = records(edge)
    origin.page("/page", "two")
    assert edge.request("PUT", "/page", body=b"two").status == 200
    until(lambda: records(edge) == before + 1, "the mark of the change")
    restart(edge)
    assert edge.get("/page").body == b"two"
    assert is_disk_hit(edge.get("/other"))


def test_a_newer_version_takes_the_place_of_the_disks_before_it_is_there_itself(on_disk, origin):
    origin.page("/page", "one")
    origin.page("/other")
    edge = on_disk()
    keep(edge, "/page")
    edge.command("purge", "shop", "/page", check=0)  # to be revalidated
    origin.page("/page", "two")
    assert edge.get("/page").body == b"two"  # used once
    until(lambda: records(edge) == 0, "the old one to be gone")
    restart(edge)
    assert edge.get("/page").body == b"two"


def test_another_ledger_finds_nothing(on_disk, origin, disk):
    """Who loses the state loses the purges: nothing that is on the disk can be believed."""
    origin.page("/page", "one")
    edge = on_disk()
    keep(edge, "/page")
    edge.stop()
    shutil.rmtree(edge.state)
    origin.page("/page", "two")
    edge.start()
    until_recovered(edge)
    assert edge.get("/page").body == b"two"


def test_a_damaged_ledger_finds_nothing(on_disk, origin):
    """Purges may be lost with it."""
    origin.page("/page", "one")
    edge = on_disk()
    keep(edge, "/page")
    edge.kill()
    journal = edge.state / "journal"
    octets = bytearray(journal.read_bytes())
    octets[len(octets) // 3] ^= 0x55
    journal.write_bytes(octets)
    origin.page("/page", "two")
    edge.start()
    edge.output.wait_for("octets were damaged")
    until_recovered(edge)
    assert edge.get("/page").body == b"two"


def test_a_run_without_the_disk_makes_its_content_void(on_disk, origin, run):
    """Nobody keeps rules of purges for a disk that is not there."""
    origin.page("/page", "one")
    edge = on_disk()
    keep(edge, "/page")
    edge.stop()
    without = run(state="state")
    origin.page("/page", "two")
    without.command("purge", "shop", "/page", "--mode", "delete", check=0)
    without.stop()
    edge.start()
    until_recovered(edge)
    assert edge.get("/page").body == b"two"


def test_what_is_stale_is_confirmed_by_a_304(on_disk, origin):
    origin.route("/page", lambda request: Reply(304) if request.header("If-None-Match")
                 else Reply(body=b"one", headers={"ETag": '"v1"', "Cache-Control": "max-age=0, stale-while-revalidate=3600"}))
    edge = on_disk()
    keep(edge, "/page")
    restart(edge)
    answer = edge.get("/page")
    assert is_disk_hit(answer) and answer.body == b"one"  # stale while it is revalidated
    origin.wait_count("/page", 3)


# --- When the disk fails -------------------------------------------------------------------------------------------


def test_a_disk_that_cannot_be_read_turns_itself_off(on_disk, origin, disk):
    pages = [f"/page-{n}" for n in range(12)]
    for path in pages:
        origin.page(path, path)
    edge = on_disk()
    keep(edge, *pages)
    restart(edge)
    with open(disk, "r+b") as file:
        file.truncate(8192)
    limits.prlimit(edge.process.pid, limits.RLIMIT_FSIZE, (8192, 8192))  # a write would make it long again
    for path in pages:
        answer = edge.get(path)
        assert answer.status == 200 and answer.body == path.encode()
    until(lambda: condition(edge), "the condition")
    off = condition(edge)
    assert off["status"] == "True"
    assert "the file has become shorter" in off["message"] or "File too large" in off["message"]
    assert edge.metric("headgate_cache_disk_up") == {"": 0}
    assert edge.get(pages[0]).is_hit  # in memory
    restart(edge)
    assert condition(edge) is None
    assert edge.get(pages[0]).status == 200 and records(edge) == 0


def test_a_disk_that_is_full_turns_itself_off(on_disk, origin, disk):
    body = b"x" * 100_000
    pages = [f"/page-{n}" for n in range(400)]
    for path in pages:
        origin.page(path, body)
    edge = on_disk()
    limits.prlimit(edge.process.pid, limits.RLIMIT_FSIZE, (MIB, MIB))
    asked = iter(pages)

    def off():
        path = next(asked)
        assert edge.get(path).body == body
        assert edge.get(path).body == body
        return condition(edge)

    assert "File too large" in until(off, "the condition")["message"]
    assert edge.get("/page-0").body == body


@pytest.mark.parametrize("path,size,expected", [
    ("nowhere/disk", "64MiB", "No such file or directory"), ("disk", "900000TiB", "making room for"), ("", "64MiB", "Is a directory")])
def test_a_disk_that_cannot_be_opened_stops_nothing(serve, origin, tmp_path, path, size, expected):
    origin.page("/page")
    edge = serve(flags=["--cache-disk", f"{tmp_path / path}:{size}"])
    assert edge.get("/page").status == 200
    off = condition(edge)
    assert off["status"] == "True" and expected in off["message"]
    edge.output.wait_for("cache on disk: off: .*" + expected)


def test_two_processes_do_not_share_a_disk(on_disk, origin, run, disk):
    origin.page("/page")
    on_disk()
    other = run("--cache-disk", f"{disk}:64MiB", state="other")
    assert "is used by another process" in condition(other)["message"]
    assert other.get("/page").status == 200


def test_octets_that_have_rotted_are_never_served(on_disk, origin, disk):
    pages = [f"/page-{n}" for n in range(40)]
    for path in pages:
        origin.page(path, path * 1000)
    edge = on_disk()
    keep(edge, *pages)
    edge.kill()
    image = bytearray(disk.read_bytes())
    first = image.find(b"HGGD")  # the first record
    for place in range(first, image.rfind(b"HGGD"), 7001):
        image[place] ^= 0x55
    disk.write_bytes(image)
    edge.start()
    until_recovered(edge)
    for path in pages:
        answer = edge.get(path)
        assert answer.status == 200 and answer.body == (path * 1000).encode()
    assert edge.metric("headgate_cache_disk_up") == {"": 1}


# --- Settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value,expected", [
    ("/var/cache/disk", "expected PATH:SIZE"), (":1GiB", "expected PATH:SIZE"), ("/var/cache/disk:much", "--cache-disk /var/cache/disk:much: the size"),
    ("/var/cache/disk:1MiB", "at least 64MiB")])
def test_a_flag_that_is_wrong_says_what_is_expected(repository, tmp_path, value, expected):
    done = headgate("run", "--source", repository.path, "--state", tmp_path / "state", "--http", "127.0.0.1:0", "--cache-disk", value, check=2)
    assert expected in done.stderr


def test_the_machines_file_may_name_it(serve, origin, tmp_path, disk):
    origin.page("/page")
    config = tmp_path / "edge.yaml"
    config.write_text(f"apiVersion: headgate/v1\nkind: Edge\nspec:\n  cacheDisk: {{ path: '{disk}', size: 64MiB }}\n")
    edge = serve(flags=["--config", config])
    until_recovered(edge)
    keep(edge, "/page")
    assert edge.status()["cache"]["disk"]["sizeBytes"] == 64 * MIB
    restart(edge)
    assert is_disk_hit(edge.get("/page"))


# With a key

KEY = "an edge's key of thirty-two octets or more"


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "disk.key"
    file.write_text(KEY + "\n")
    return file


def test_with_a_key_nothing_can_be_read_on_the_disk_but_by_the_edge(on_disk, origin, disk, key_file):
    body = b"what nobody else may read. " * 3000
    origin.page("/page", body, x_mark="a field of the response")
    edge = on_disk(flags=["--cache-disk-key-file", key_file])
    assert "encrypted" in edge.output.wait_for(r"^headgate: cache on disk: (.*)$")[0][1]
    keep(edge, "/page")
    restart(edge)
    found = edge.get("/page")
    assert is_disk_hit(found) and found.body == body and found.headers["x-mark"] == "a field of the response"
    edge.stop()
    octets = disk.read_bytes()
    for secret in (b"nobody else may read", b"a field of the response", b"/page"):
        assert secret not in octets, secret


def test_with_another_key_the_disk_is_empty_and_serves(on_disk, origin, key_file):
    origin.page("/page", b"content")
    edge = on_disk(flags=["--cache-disk-key-file", key_file])
    keep(edge, "/page")
    edge.stop()
    key_file.write_text("another key of thirty-two octets.")
    edge.start()
    until_recovered(edge)
    assert records(edge) == 0
    assert not edge.get("/page").is_hit
    keep(edge, "/page")
    restart(edge)
    assert is_disk_hit(edge.get("/page"))


def test_the_key_may_be_named_in_the_machine_s_file(repository, run, origin, disk, key_file, tmp_path):
    origin.page("/page", b"content " * 1000)
    repository.put("shop.yaml", distribution(origin.port), cache_policy())
    repository.commit("one")
    config = tmp_path / "edge.yaml"
    config.write_text(f"""
apiVersion: headgate/v1
kind: Edge
spec:
  cacheDisk: {{ path: {disk}, size: 64MiB, key: {{ valueFrom: {{ env: DISK_KEY }} }} }}
""")
    edge = run("--config", config, env={"DISK_KEY": KEY})
    until_recovered(edge)
    keep(edge, "/page")
    edge.stop()
    assert b"content content" not in disk.read_bytes()


@pytest.mark.parametrize("key, says", [("too short", "a key of 9 octets is too short: 32 at least"), (None, "disk.key")])
def test_an_edge_without_a_usable_key_does_not_start(tmp_path, disk, key_file, key, says):
    key_file.write_text(key) if key else key_file.unlink()
    done = headgate("run", "--source", tmp_path, "--state", tmp_path / "state", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                    "--cache-disk", f"{disk}:64MiB", "--cache-disk-key-file", key_file)
    assert done.returncode == 1, done.stderr
    assert "the key of the cache on disk" in done.stderr and says in done.stderr, done.stderr
    assert not disk.exists()
