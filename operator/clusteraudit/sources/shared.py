"""Values that objects of any kind share."""

from clusteraudit.model.lately import Lately

_MOST = 4_096

shared = Lately(_MOST).one
"""Of the whole process: nothing of a cluster is held much longer than its rows."""
