"""0016: timeouts do not depend on the wall clock. 0019: loops share no memory."""
import time


def test_loop_goes_by_the_monotonic_clock(server):
    """Setting the wall clock made every connection time out, or none any more."""
    loop = server.stats()["loop_ms"]
    year = 365 * 86400 * 1000  # it does not begin at zero: timeouts are subtracted from it
    assert abs(loop - year - time.monotonic() * 1000) < 60000


def test_loop_takes_no_memory_from_the_thread_that_made_it(server):
    """Loops that one thread made took their buffers from its list, which is not locked."""
    assert server.stats()["foreign_buffers"] == 0
