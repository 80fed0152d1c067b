#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The test origin as a program, to try things by hand: the path says what to do. See --help."""

import argparse
import json
import os
import signal
import sys

from origin import Certificate, Origin, Reply

def standard_reply(request):
    """What the command line serves: the path says what to do."""
    words = request.path.strip("/").split("/")
    number = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    cached = {"Cache-Control": "max-age=60"}
    if words[0] == "bytes":
        return Reply(size=number, headers=cached)
    if words[0] == "status":
        return Reply(status=number or 200, body=b"status\n")
    if words[0] == "delay":
        return Reply(delay=number / 1000, body=b"late\n", headers=cached)
    if words[0] == "chunked":
        return Reply(size=number, framing="chunked", headers=cached)
    if words[0] == "drip":
        return Reply(size=number, drip=(1, 0.1), headers=cached)
    if words[0] == "etag":
        return Reply(body=b"validated\n", etag="auto", headers={"Cache-Control": "max-age=0"})
    if words[0] == "truncate":
        return Reply(size=number + 1000, truncate=number, headers=cached)
    if words[0] == "reset":
        return Reply(size=number + 1000, reset=number, headers=cached)
    if words[0] == "hang":
        return Reply(hang=True)
    echo = {"method": request.method, "target": request.target, "headers": request.headers,
            "body": request.body.decode("latin-1"), "connection": request.connection}
    return Reply(body=json.dumps(echo, indent=1).encode(), headers={"Content-Type": "application/json"})


def main():
    parser = argparse.ArgumentParser(description="A test origin: /bytes/N /status/N /delay/MS /chunked/N /drip/N /etag "
                                                 "/truncate/N /reset/N /hang; every other path echoes the request as JSON.")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", metavar="NAME", action="append",
                        help='speak TLS with a certificate for "DNS:shop.test" or "IP:127.0.0.1"; may be repeated')
    options = parser.parse_args()
    certificate = Certificate(*options.tls) if options.tls else None
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with Origin(tls=certificate, address=options.address, port=options.port) as origin:
        origin.otherwise(standard_reply)
        print(json.dumps({"url": origin.url, "port": origin.port, "ca": certificate.certificate if certificate else None,
                          "pid": os.getpid()}), flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main())
