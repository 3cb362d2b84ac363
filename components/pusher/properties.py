"""Custom properties of the Pusher's output, beyond those of TFX."""

from __future__ import annotations

# 1 if the Pusher pushed a new version, absent if it pushed nothing or the model was live already.
NEW_VERSION_PROPERTY = 'new_version'
# Of a blessed model that a rollback withdrew, so that it is not pushed: the version that served
# it, and when it was withdrawn, in UTC.
WITHDRAWN_VERSION_PROPERTY = 'withdrawn_version'
WITHDRAWN_AT_PROPERTY = 'withdrawn_at'
