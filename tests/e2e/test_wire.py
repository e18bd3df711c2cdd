"""A real Postfix behind a real wire that is cut: the short form of the
programme in tests/wire, with impatient probes. See docs/testing.md."""
import concurrent.futures
import os
import sys
import unittest

import mxtest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "wire"))
import lab  # pylint: disable=wrong-import-position
import primaries  # pylint: disable=wrong-import-position
import scene  # pylint: disable=wrong-import-position
import unpacked  # pylint: disable=wrong-import-position

WHY_NOT = lab.why_not() or unpacked.why_not(primaries.KINDS["postfix"].PACKAGE)
QUICK = """
probe { interval_down = "1s"  interval_up = "5s"  timeout = "5s"  up_after = 1 }
drain { retry_message = {"6s"}  connect_timeout = "1s" }
breaker { first_5xx = "3s" }
"""


def outage(fault, seconds):
    s, good = scene.Scene("postfix", f"mx{fault[0]}{os.getpid()}", QUICK), False
    try:
        result = s.run(fault, 50, seconds)
        good = True
        return result
    finally:
        s.close(keep=not good)


@unittest.skipIf(WHY_NOT, f"the wire: {WHY_NOT}")
class Wire(unittest.TestCase):
    """Two laboratories side by side: most of it is waiting."""

    @classmethod
    def setUpClass(cls):
        cls.pool = concurrent.futures.ThreadPoolExecutor()
        cls.unplug = cls.pool.submit(outage, "unplug", 3)
        cls.halfopen = cls.pool.submit(outage, "halfopen", 0)

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown()

    def test_a_line_that_is_pulled_out_and_put_back(self):
        self.assertGreater(self.unplug.result().waiting, 50)

    def test_connections_that_die_while_the_primary_lives(self):
        result = self.halfopen.result()
        self.assertGreater(result.waiting, 50)
        self.assertIsNotNone(result.gone)


if __name__ == "__main__":
    mxtest.main()
