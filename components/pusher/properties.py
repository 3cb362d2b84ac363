"""What the Pusher notes on its output, beyond what TFX's does."""

from __future__ import annotations

# Custom properties, of a blessed model that was not pushed, as a rollback has withdrawn it: the
# version that had served it, and when it was withdrawn, in UTC.
WITHDRAWN_VERSION_PROPERTY = 'withdrawn_version'
WITHDRAWN_AT_PROPERTY = 'withdrawn_at'
