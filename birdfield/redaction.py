"""Redaction: hides the passwords of URLs, for logs, journals and status files."""

import re

SECRET = r"(?:user|login|pass|pwd|token|auth|key|secret)"


def mask_url(spec: str) -> str:
    """Replace the user, the password and other credentials of a URL by ***.

    Args:
        spec: A camera or a microphone as the user named it; returned as it is unless it is a URL.
    """
    if "://" not in spec:
        return spec
    masked = re.sub(r"://.*@", "://***@", spec)  # to the last @: a password may contain one
    masked = re.sub(rf"(?i)([?&;][^=&;]*{SECRET}[^=&;]*=)[^&;]*", r"\1***", masked)
    # Some recorders expect both in the path, where a password may contain any separator.
    return re.sub(rf"(?i)([/_][^=&;/_?]*{SECRET}[^=&;/_?]*=).*", r"\1***", masked)
