"""0021: how many streams a client may have open is a setting (RFC 9113 5.1.2, 6.5.2)."""
from http2 import MAX_CONCURRENT_STREAMS, REFUSED_STREAM


def test_streams_beyond_the_setting_are_refused_and_told_in_settings(start):
    server = start({"http2.max_concurrent_streams": 3})
    client = server.http2()
    client.wait_for(lambda _: client.settings, "SETTINGS")
    assert client.settings[0][MAX_CONCURRENT_STREAMS] == 3
    for stream in (1, 3, 5, 7):
        client.request(stream, "/hold")
    client.wait_for(lambda _: 7 in client.resets, "the refusal")
    assert client.resets == {7: [REFUSED_STREAM]}
    server.release()
    client.wait_for_response(1, 3, 5)
    client.request(9, "/object/10")
    client.wait_for_response(9)
    assert client.status[9] == 200
