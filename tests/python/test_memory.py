"""Out of memory is an exception like any other, and the process goes on."""

import sys

import pytest

PROGRAM = """
import resource
import numpy as np
import fmdn

rng = np.random.default_rng(0)
inputs, targets = rng.standard_normal((200, 3)), rng.standard_normal(200)
small = fmdn.Committee(2, max_iter=2, n_threads=1).fit(inputs, targets)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
room = 600 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))

# A parameter vector takes 50 MB; the minimiser wants some two dozen of them.
large = fmdn.Committee(2, hidden=[2500, 2500], max_iter=2, n_threads=1)
try:
    large.fit(inputs, targets)
except MemoryError as error:
    print("MemoryError:", error)
print(small.predict(inputs).shape)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS acts on Linux alone")
def test_out_of_memory_is_an_exception(run_python):
    assert run_python(PROGRAM).splitlines() == [
        "MemoryError: no member could be trained; failed: out of memory",
        "(200,)",
    ]
