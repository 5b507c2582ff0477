"""Forward models that another process imports."""

import os
import signal
import time


def dangerous(model):
    """Hang in three ways, or end the process in two, at the ends of the range of a."""
    kind = int((model[0] + 1) / 0.1)
    if kind == 0:
        while True:
            pass
    if kind == 1:  # nobody tells compiled code to stop
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        time.sleep(100)
    if kind == 2:
        time.sleep(100)
    if kind == 18:
        os._exit(3)
    if kind == 19:
        os.kill(os.getpid(), signal.SIGSEGV)
    return model
