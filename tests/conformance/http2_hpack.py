# SPDX-License-Identifier: MIT
"""RFC 7541: every representation of a field, and what no encoder may send."""
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from http2 import COMPRESSION_ERROR, SETTINGS, frame, setting
from http2_cases import Http2Cases, alive, connection_error, finished, raw_headers, succeeds

table = Http2Cases()
case = table.case
HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
INCREMENTAL, WITHOUT, NEVER = (0x40, 6), (0x00, 4), (0x10, 4)
USER_AGENT = 58  # in the static table


def integer(value, prefix, first=0):
    """RFC 7541 section 5.1."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    octets = [first | most]
    value -= most
    while value >= 128:
        octets.append(value % 128 + 128)
        value //= 128
    return bytes(octets + [value])


def string(text, huffman=False):
    """RFC 7541 section 5.2."""
    octets = HUFFMAN.encode(text) if huffman else text
    return integer(len(octets), 7, 0x80 if huffman else 0) + octets


def literal(kind, value, index=0, name=b"", huffman=False):
    first, prefix = kind
    return integer(index, prefix, first) + (b"" if index else string(name, huffman)) + string(value, huffman)


def ask(client, more, stream=1):
    client.send(raw_headers(stream, client.block("/") + more))


# --- Well-formed ---------------------------------------------------------------------------------------------------


@case("generic 5/1 an indexed field")
def _(client):
    ask(client, b"\x90")  # accept-encoding: gzip, deflate
    succeeds(client)


number = 1
for kind, kind_name in ((INCREMENTAL, "with incremental indexing"), (WITHOUT, "without indexing"), (NEVER, "never indexed")):
    for index, name, what in ((USER_AGENT, b"", "indexed name"), (0, b"x-test", "new name")):
        for huffman in (False, True):
            number += 1

            @case(f"generic 5/{number} a literal field {kind_name}, {what}{', Huffman' if huffman else ''}")
            def _(client, kind=kind, index=index, name=name, huffman=huffman):
                ask(client, literal(kind, b"headgate", index, name, huffman))
                succeeds(client)
                alive(client)


@case("generic 5/14 a dynamic table size update")
def _(client):
    client.send(raw_headers(1, b"\x20" + client.block("/")))
    succeeds(client)


@case("generic 5/15 several dynamic table size updates")
def _(client):
    client.send(raw_headers(1, b"\x20\x3f\x45" + client.block("/")))
    succeeds(client)


# --- Not well-formed -----------------------------------------------------------------------------------------------

for name, wrong in {
    "2.3.3/1 an indexed field beyond the tables": integer(126, 7, 0x80),
    "2.3.3/2 a literal field whose name is beyond the tables": literal(INCREMENTAL, b"value", index=126),
    "4.2/1 a dynamic table size update at the end of a field block": b"\x20",
    "5.2/1 Huffman padding of more than seven bits": literal(WITHOUT, b"", name=b"x-test")[:-1] + b"\x85" + HUFFMAN.encode(b"value") + b"\xff",
    "5.2/2 Huffman padding by zeros": b"\x00" + string(b"x-test") + b"\x81\x18",  # 'a' is 00011, then 000
    "5.2/3 a Huffman string with EOS": b"\x00" + string(b"x-test") + b"\x84\xff\xff\xff\xff",
    "6.1/1 index 0": b"\x80",
    "6.3/1 a dynamic table above SETTINGS_HEADER_TABLE_SIZE": None,
}.items():
    @case(name)
    def _(client, wrong=wrong):
        if wrong is None:
            client.send(raw_headers(1, integer(4097, 5, 0x20) + client.block("/")))
        else:
            ask(client, wrong)
        connection_error(client, COMPRESSION_ERROR)
