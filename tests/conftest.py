"""What every test may rely on, however the tests were started."""

import signal
import sys

import pytest

# Started in the background by a shell, a process ignores SIGINT and so would every child that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def one_seed() -> None:
    """Nets that a test draws without a word of seeds are the same in every run: a failure can be seen again."""
    # Only where a test's file has brought torch with it: it takes seconds to import.
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(20)
