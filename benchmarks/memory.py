"""Memory of this process, MB."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

MB = 1e6


def peak() -> float:
    """Highest level of this process so far."""
    # not ru_maxrss where it can be helped: on Linux a child starts with its parent's
    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def level() -> float:
    """In use now; where the system does not say, the peak so far."""
    return _status("VmRSS") or peak()


def _status(field: str) -> float:
    """A field of Linux's /proc/self/status; 0 elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines[field].split()[0]) * 1024 / MB
