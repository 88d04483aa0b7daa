"""How a study is stopped from outside: SIGTERM, which batch systems and containers send, is taken as Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def sigterm_as_ctrl_c(leave: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Inside the block, have SIGTERM do what Ctrl-C does then; outside the main thread, nothing.

    In a process that was started in the background, where a shell has Ctrl-C ignored, it is a KeyboardInterrupt.

    Args:
        leave: asked first. If it says True, the block is about to end by itself, and nothing more is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, frame: FrameType | None) -> None:
        if leave():
            return
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
