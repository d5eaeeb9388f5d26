"""What every test may rely on, however the tests were started."""

import signal

# Started in the background by a shell, a process ignores SIGINT and so would every child that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
