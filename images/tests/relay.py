# SPDX-License-Identifier: MIT
"""relay.py PORT: one connection from standard input and output to a port of this machine; QEMU starts one for each of a guest's."""
import os
import socket
import sys
import threading


def copy(read, write, end):
    while octets := read(65536):
        write(octets)
    end()


with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    upward = threading.Thread(target=copy, args=(lambda size: os.read(0, size), connection.sendall, lambda: None), daemon=True)
    upward.start()
    copy(connection.recv, lambda octets: os.write(1, octets), lambda: None)
