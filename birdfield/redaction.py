"""Hiding passwords: a source's name as logs, journals and status files may hold it."""

import re

SECRET = r"(?:user|login|pass|pwd|token|auth|key|secret)"


def mask_url(spec: str) -> str:
    """Hide the user, the password and whatever else opens a camera in a URL."""
    if "://" not in spec:
        return spec
    masked = re.sub(r"://.*@", "://***@", spec)  # to the last @: a password may hold one
    masked = re.sub(rf"(?i)([?&;][^=&;]*{SECRET}[^=&;]*=)[^&;]*", r"\1***", masked)
    # Some recorders take both in the path, where a password may hold any separator.
    return re.sub(rf"(?i)([/_][^=&;/_?]*{SECRET}[^=&;/_?]*=).*", r"\1***", masked)
