# SPDX-License-Identifier: MIT
"""What is too large for one piece: slices of 1 MiB that are fetched once, never mixed, and cost bounded memory."""
import concurrent.futures
import threading

import pytest

from harness import BrokenTransfer, behavior, curl, invalidation, memory, slow_client, until
from origin import Reply
from origin_file import File, content

MIB = 1 << 20
SIZE = 20 * MIB + 12345  # far above what 64 MiB of cache keep in one piece


@pytest.fixture
def film(origin):
    return origin.route("/film", File(SIZE))


def slices_asked(origin):
    """The numbers of the slices that were asked for, in order; each range must be that of a slice."""
    numbers = []
    for request in origin.requests_to("/film"):
        if value := request.header("Range"):
            first, last = map(int, value.removeprefix("bytes=").split("-"))
            assert first % MIB == 0 and last == min(first + MIB, SIZE) - 1
            assert request.header("If-Range") is not None
            numbers.append(first // MIB)
    return numbers


def get_range(edge, value, **headers):
    return edge.get("/film", Range=f"bytes={value}", **headers)


def until_hit(edge, value):
    """An answer from the cache alone: the rest of the slices that the range has touched comes after its last octet."""
    answers = []

    def hit():
        answers.append(get_range(edge, value))
        return answers[-1].is_hit

    until(hit, "the slices to be stored")
    return answers[-1]


def test_it_is_stored_in_slices_each_asked_for_once(serve, origin, film):
    edge = serve()
    first = edge.get("/film")
    assert first.body == film.bytes() and first.headers["content-length"] == str(SIZE)
    assert "fwd=uri-miss" in first.cache_status and "stored" in first.cache_status
    # The beginning comes with the answer to the first request, the rest by ranges.
    assert sorted(slices_asked(origin)) == list(range(1, 21))
    asked = origin.count("/film")
    again = edge.get("/film")
    assert again.is_hit and again.body == film.bytes() and "age" in again.headers
    assert origin.count("/film") == asked


@pytest.mark.parametrize("value, parts", [
    ("100-199", [(100, 200)]),
    (f"{MIB - 10}-{MIB + 9}", [(MIB - 10, MIB + 10)]),
    (f"{3 * MIB + 1}-{6 * MIB}", [(3 * MIB + 1, 6 * MIB + 1)]),
    ("-5000", [(SIZE - 5000, SIZE)]),
    (f"{19 * MIB}-", [(19 * MIB, SIZE)])])
def test_a_range_asks_for_what_it_needs(serve, origin, film, value, parts):
    edge = serve()
    answer = get_range(edge, value)
    (first, end), = parts
    assert answer.status == 206 and answer.body == film.bytes(first, end)
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{SIZE}"
    needed = set(range(first // MIB, (end - 1) // MIB + 1))
    assert set(slices_asked(origin)) == needed - {0}
    assert until_hit(edge, value).body == film.bytes(first, end)


def test_several_ranges(serve, film):
    edge = serve()
    wanted = [(5, 25), (2 * MIB - 3, 2 * MIB + 3), (SIZE - 7, SIZE)]
    answer = get_range(edge, ",".join(f"{first}-{end - 1}" for first, end in wanted))
    assert answer.status == 206 and answer.headers["content-type"].startswith("multipart/byteranges")
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = answer.body.split(b"--" + boundary)[1:-1]
    assert [part.partition(b"\r\n\r\n")[2][:-2] for part in parts] == [film.bytes(first, end) for first, end in wanted]


def test_conditions_need_no_content(serve, origin, film):
    edge = serve()
    get_range(edge, "0-0")
    asked = origin.count("/film")
    assert edge.get("/film", If_None_Match='"version-1"').status == 304
    assert get_range(edge, f"{SIZE}-").status == 416
    head = edge.request("HEAD", "/film")
    assert head.status == 200 and head.headers["content-length"] == str(SIZE)
    assert origin.count("/film") == asked
    assert get_range(edge, "7-9", If_Range='"version-1"').status == 206
    with pytest.raises(BrokenTransfer):  # the whole, of which we want no more than its head
        curl("--max-filesize", 1000, "--header", 'If-Range: "other"', "--header", "Range: bytes=7-9", f"http://{edge.http}/film")


def test_a_hit_on_a_part_says_what_was_missing(serve, film):
    edge = serve()
    until_hit(edge, "0-9")
    assert get_range(edge, "10-19").is_hit
    missed = get_range(edge, f"{9 * MIB}-{9 * MIB + 9}")
    assert "fwd=partial; fwd-status=206" in missed.cache_status and missed.headers["x-cache"] == "Miss from headgate"
    until_hit(edge, f"{9 * MIB}-{9 * MIB + 9}")


def test_everyone_shares_one_fetch_of_a_slice(serve, origin, film):
    gate = threading.Event()

    def hold(request, first, end):
        if first == 4 * MIB:
            assert gate.wait(30)

    film.before = hold
    edge = serve()
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        answers = [pool.submit(edge.get, "/film") for _ in range(24)]
        until(lambda: 4 in slices_asked(origin) or origin.count("/film") >= 5, "the fifth slice to be asked for")
        gate.set()
        whole = film.bytes()
        assert all(answer.result().body == whole for answer in answers)
    numbers = slices_asked(origin)
    assert sorted(numbers) == list(range(1, 21))
    assert sum(1 for request in origin.requests_to("/film") if request.header("Range") is None) == 1


def test_a_new_version_is_noticed_at_the_first_slice(serve, origin, film):
    edge = serve()
    assert get_range(edge, "0-9").body == film.bytes(0, 10)
    film.version = 2
    answer = get_range(edge, f"{9 * MIB}-{9 * MIB + 99}")
    assert answer.status == 206 and answer.body == film.bytes(9 * MIB, 9 * MIB + 100)
    assert answer.headers["etag"] == '"version-2"'
    assert get_range(edge, "0-9").body == film.bytes(0, 10)  # of the new one, too
    assert edge.get("/film").body == film.bytes()


@pytest.mark.parametrize("changed_to", ["another", "shorter", "gone"])
def test_a_new_version_in_the_middle_breaks_the_download_and_mixes_nothing(serve, origin, film, changed_to):
    def change(request, first, end):
        if first == 10 * MIB and film.version == 1:
            film.version = 2
            if changed_to == "shorter":
                film.size = 6 * MIB
            if changed_to == "gone":
                return Reply(404, b"no film\n")

    film.before = change
    edge = serve()
    with pytest.raises(BrokenTransfer) as broken:
        curl(f"http://{edge.http}/film")
    received = broken.value.output.partition(b"\r\n\r\n")[2].rpartition(b"\n@@end@@")[0]
    assert len(received) <= 10 * MIB and received == content(1, 0, len(received))
    after = edge.get("/film")
    assert after.status == 200 and after.body == film.bytes() and after.headers["etag"] == '"version-2"'


def test_a_broken_slice_is_asked_for_once_more(serve, origin, film):
    broken = []

    def cut(request, first, end):
        if first == 7 * MIB and not broken:
            broken.append(first)
            return Reply(206, headers={"Content-Range": f"bytes {first}-{end - 1}/{SIZE}", "ETag": film.etag()},
                         size=end - first, truncate=1000)

    film.before = cut
    edge = serve()
    # What came of it before is a part of this version all the same: none of it is seen twice.
    answer = edge.get("/film")
    assert broken and len(answer.body) == SIZE
    assert answer.body[:7 * MIB] == film.bytes(0, 7 * MIB) and answer.body[7 * MIB + 1000:] == film.bytes(7 * MIB + 1000)


def test_what_cannot_be_had_is_an_error_not_a_broken_download(serve, film):
    edge = serve()
    get_range(edge, "0-9")
    film.before = lambda request, first, end: Reply(503, b"busy\n")
    answer = get_range(edge, f"{9 * MIB}-{9 * MIB + 9}")
    assert answer.status == 502 and "http_protocol_error" in answer.headers["proxy-status"]
    film.before = None
    assert get_range(edge, f"{9 * MIB}-{9 * MIB + 9}").status == 206


def test_revalidation_keeps_the_slices(serve, repository, origin, film):
    edge = serve()
    assert edge.get("/film").body == film.bytes()
    asked = origin.count("/film")
    edge.apply(repository, "purge.yaml", invalidation("again", "/film"))
    answer = edge.get("/film")
    assert answer.body == film.bytes() and "fwd=stale; fwd-status=304" in answer.cache_status
    assert origin.count("/film") == asked + 1
    assert edge.get("/film").is_hit


def test_a_purge_takes_the_slices_along(serve, repository, origin, film):
    edge = serve()
    assert edge.get("/film").body == film.bytes()
    held = edge.metric("headgate_cache_resident_bytes")[""]
    assert held > SIZE
    film.version = 2
    edge.apply(repository, "purge.yaml", invalidation("gone", "/film", mode="delete"))
    until(lambda: edge.metric("headgate_cache_resident_bytes")[""] < MIB, "the slices to be freed")
    assert edge.get("/film").body == film.bytes()


@pytest.mark.parametrize("ranges, tag", [(None, None), ("none", None), ("bytes", lambda version: f'W/"{version}"')])
def test_an_origin_that_cannot_serve_parts_is_passed_through(serve, origin, film, ranges, tag):
    film.accept_ranges, film.tag = ranges, tag
    edge = serve()
    for count in (1, 2):
        answer = edge.get("/film")
        assert answer.body == film.bytes() and not answer.is_hit
        assert origin.count("/film") == count


def test_variants_have_slices_of_their_own(serve, origin):
    files = {"de": File(SIZE, Vary="Accept-Language"), "fr": File(SIZE, Vary="Accept-Language")}
    files["fr"].version = 2
    origin.route("/film", lambda request: files[request.header("Accept-Language")](request))
    edge = serve(default=behavior(originRequestPolicy="Managed-AllViewer"))
    for _ in range(2):
        for language, file in files.items():
            answer = edge.get("/film", Accept_Language=language)
            assert answer.body == file.bytes()


@pytest.mark.http1
def test_far_more_than_memory_streams_through(serve, origin):
    size = 384 * MIB
    origin.route("/film", File(size))
    edge = serve()
    with edge.connect() as client:
        client.connection.request("GET", "/film", headers={"Host": "shop.test"})
        response = client.connection.getresponse()
        for first in range(0, size, MIB):
            assert response.read(MIB) == content(1, first, first + MIB)
        assert response.read() == b""
    # What it is, is known all the while, though most of its slices have made room for others.
    part = get_range(edge, f"{7 * MIB}-{7 * MIB + 9}")
    assert part.body == content(1, 7 * MIB, 7 * MIB + 10) and "uri-miss" not in part.cache_status
    assert edge.metric("headgate_cache_resident_bytes")[""] <= 64 * MIB
    assert memory(edge, "VmHWM") < 256 * MIB


def test_slow_readers_of_many_large_objects_cost_little(serve, origin, clients):
    edge = serve()
    before = memory(edge)
    for number in range(200):
        origin.route(f"/film/{number}", File(SIZE))
        clients.append(slow_client(edge, f"GET /film/{number} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode()))
    assert all(one.recv(12) == b"HTTP/1.1 200" for one in clients)
    # The cache's budget, a quarter of that pinned, half of it coming in; then 128 KiB and a little for each client.
    assert memory(edge) - before < 64 * MIB * 7 // 4 + 200 * (512 << 10)
    origin.page("/page", b"hello")
    assert edge.get("/page").body == b"hello"


def test_an_origin_that_announces_ranges_and_serves_none_is_passed_through_next_time(serve, origin, film):
    film.ignores_ranges = True
    edge = serve()
    with pytest.raises(BrokenTransfer):
        curl(f"http://{edge.http}/film")
    for _ in range(2):
        answer = edge.get("/film")
        assert answer.body == film.bytes() and not answer.is_hit


def test_an_origin_that_does_not_say_how_long_the_whole_is(serve, origin, film):
    film.complete = "*"
    edge = serve()
    assert edge.get("/film").body == film.bytes()
    assert edge.get("/film").is_hit
