"""0015: a field whose value is new in every response does not displace what comes again (RFC 7541 section 6.2.2)."""


def test_the_table_keeps_what_comes_again(server):
    client = server.http2()
    for number in range(40):  # more than the 32 entries that h2o keeps
        stream = 2 * number + 1
        client.request(stream, f"/unique/{number:08}")
        client.wait_for_response(stream)
        assert dict(client.fields[stream])["x-unique"] == f"{number:08}"
    names = [name for name, _ in client.decoder.header_table.dynamic_entries]
    assert b"x-unique" not in names
    assert names.count(b"x-constant") == 1
    # Said in two octets from the second response on: the first was the only one that spelled it out.
    assert dict(client.fields[1])["x-constant"] == dict(client.fields[79])["x-constant"] == "constant"
