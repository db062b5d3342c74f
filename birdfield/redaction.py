"""Redaction: hides the passwords of URLs, for logs, journals and status files."""

import logging
import re

# Names of query parameters and path parts that hold a secret: these words anywhere in a name ...
_WORDS = "user|usr|login|pass|pwd|token|auth|key|secret|credential|signature"
# ... and these as the whole name, since "codec", "port" and "design" are no secrets.
_WHOLE = "p|pw|u|code|sig|sid|pin"
_NAME = rf"(?:[^=&;#/?\s]*(?:{_WORDS})[^=&;#/?\s]*|{_WHOLE})"
_USER = re.compile(r":/+.*@")  # to the last @: a password may contain one
_QUERY = re.compile(rf"(?i)([?&;#]{_NAME}=)[^&;#]*")
# Some recorders expect both in the path, where a password may contain any separator.
_PATH = re.compile(rf"(?i)([/_](?:[^=&;/_?#\s]*(?:{_WORDS})[^=&;/_?#\s]*|{_WHOLE})=).*")
_SCHEME = r"[a-z][a-z0-9+.-]*:/"
# A URL in a text ends at a blank, except that a password before an @ may contain blanks.
_URL = re.compile(rf"(?i)\b{_SCHEME}/?(?:(?:(?!{_SCHEME})[^\n])*@)?\S*")


def mask_url(spec: str) -> str:
    """Replace the user, the password and other credentials of a URL by ***.

    Args:
        spec: A camera or a microphone as the user named it; returned as it is unless it is a URL,
            also one with a single slash.
    """
    if not re.match(_SCHEME, spec, re.IGNORECASE):
        return spec
    masked = _USER.sub("://***@", spec)
    masked = _QUERY.sub(r"\1***", masked)
    return _PATH.sub(r"\1***", masked)


def mask_text(text: str) -> str:
    """Replace the credentials of every URL in a text, such as a traceback, by ***."""
    return _URL.sub(lambda found: mask_url(found[0]), text)


class MaskingFormatter(logging.Formatter):
    """A log formatter that hides the passwords of URLs in messages and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record without passwords."""
        return mask_text(super().format(record))
