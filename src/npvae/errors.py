"""The one error a user can cause and mend."""


class NpvaeError(Exception):
    """Something to mend outside the code; its message is one sentence that names the file or key."""
