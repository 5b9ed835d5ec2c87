"""What can keep the native stack from starting, in words that say what to do about it."""


class NativeError(RuntimeError):
    """Something the machine lacks or a process that did not come up; the message is for the person at the terminal."""
