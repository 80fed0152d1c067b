# SPDX-License-Identifier: MIT
"""RFC 7541: every representation of a field, and what no encoder may send."""
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from http2 import COMPRESSION_ERROR, HEADER_TABLE_SIZE
from http2_cases import Http2Cases, alive, connection_error, finished, raw_headers, succeeds

table = Http2Cases()
case = table.case
HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
INCREMENTAL, WITHOUT, NEVER = (0x40, 6), (0x00, 4), (0x10, 4)
KINDS = ((INCREMENTAL, "with incremental indexing"), (WITHOUT, "without indexing"), (NEVER, "never indexed"))
USER_AGENT = 58  # in the static table
EOS = 256


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


def huffman_string(*symbols):
    """Of octets and EOS, which no encoder sends."""
    bits = "".join(f"{REQUEST_CODES[symbol]:0{REQUEST_CODES_LENGTH[symbol]}b}" for symbol in symbols)
    bits += "1" * (-len(bits) % 8)
    return integer(len(bits) // 8, 7, 0x80) + int(bits, 2).to_bytes(len(bits) // 8, "big")


def literal(kind, value, index=0, name=b"", huffman=False):
    first, prefix = kind
    return integer(index, prefix, first) + (b"" if index else string(name, huffman)) + string(value, huffman)


def ask(client, more, stream=1):
    client.send(raw_headers(stream, client.block("/") + more))


# --- Well-formed ---------------------------------------------------------------------------------------------------


for name, index in {"1 an indexed field": USER_AGENT, "16 an indexed field with a value": 16}.items():
    @case(f"generic 5/{name}")
    def _(client, index=index):
        ask(client, integer(index, 7, 0x80))
        succeeds(client)
        alive(client)


number = 1
for kind, kind_name in KINDS:
    for index, name, what in ((USER_AGENT, b"", "indexed name"), (0, b"x-test", "new name")):
        for huffman in (False, True):
            number += 1

            @case(f"generic 5/{number} a literal field {kind_name}, {what}{', Huffman' if huffman else ''}")
            def _(client, kind=kind, index=index, name=name, huffman=huffman):
                ask(client, literal(kind, b"headgate", index, name, huffman))
                succeeds(client)
                alive(client)


number = 16
for kind, kind_name in KINDS:
    for huffman in (False, True):
        number += 1

        @case(f"generic 5/{number} a literal field {kind_name}, a name of the static table spelled out{', Huffman' if huffman else ''}")
        def _(client, kind=kind, huffman=huffman):
            ask(client, literal(kind, b"headgate", name=b"user-agent", huffman=huffman))
            succeeds(client)
            alive(client)


# The sizes after which, in the same field block, the fields are encoded for a table of the last of them.
for name, sizes in {"14 a dynamic table size update": (128,), "15 several dynamic table size updates": (128, 4096),
                    "23 a dynamic table size update to 0": (0,), "24 several dynamic table size updates, the first to 0": (0, 100)}.items():
    @case(f"generic 5/{name}")
    def _(client, sizes=sizes):
        for size in sizes:
            client.encoder.header_table_size = size
        block = client.block("/", fields=[("x-test", "headgate")])
        assert block.startswith(b"".join(integer(size, 5, 0x20) for size in sizes))
        client.send(raw_headers(1, block))
        succeeds(client)
        finished(client, 3, fields=[("x-test", "headgate")])  # out of the table, as far as it has room


# --- Not well-formed -----------------------------------------------------------------------------------------------

for name, wrong in {
    "2.3.3/1 an indexed field beyond the tables": integer(70, 7, 0x80),
    "2.3.3/2 a literal field whose name is beyond the tables": literal(INCREMENTAL, b"", index=70),
    "2.3.3/3 an indexed field far beyond the tables": integer(1 << 20, 7, 0x80),
    "4.2/1 a dynamic table size update at the end of a field block": b"\x21",
    "5.2/1 Huffman padding of more than seven bits":
        literal(WITHOUT, b"", name=b"x-test")[:-1] + b"\x85" + HUFFMAN.encode(b"value") + b"\xff",
    "5.2/2 Huffman padding by zeros": b"\x00" + string(b"x-test") + b"\x81\x18",  # 'a' is 00011, then 000
    "5.2/3 a Huffman string with EOS": b"\x00" + string(b"x-test", huffman=True) + huffman_string(*b"tes", EOS, *b"t"),
    "5.2/4 a Huffman string of EOS alone": b"\x00" + string(b"x-test") + huffman_string(EOS),
    "6.1/1 index 0": b"\x80",
    "6.3/1 a dynamic table above SETTINGS_HEADER_TABLE_SIZE": None,
}.items():
    @case(name)
    def _(client, wrong=wrong):
        if wrong is None:
            client.wait_for(lambda _: client.settings, "SETTINGS")
            most = client.settings[0].get(HEADER_TABLE_SIZE, 4096)
            client.send(raw_headers(1, integer(most + 1, 5, 0x20) + client.block("/")))
        else:
            ask(client, wrong)
        connection_error(client, COMPRESSION_ERROR)
