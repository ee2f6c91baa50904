"""What a measurement was taken with. Never a path or a host name: results are published."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from semigen.common.threads import available_cpus

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "pomegranate", "tgmm")


def describe() -> dict[str, str]:
    """Date, processor, versions and commit."""
    found = {
        **stamp(),
        "processor": _processor(),
        "threads": str(available_cpus()),
        "load": _load(),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def stamp() -> dict[str, str]:
    """Date and commit, for a line of results."""
    return {"date": today(), "commit": commit()}


def today() -> str:
    """ISO date."""
    return datetime.date.today().isoformat()


def commit() -> str:
    """Short commit of the library measured, with a plus if its sources differ from that commit."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + "+" if head and _git("status", "--porcelain", "--", "src") else head or "unknown"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _load() -> str:
    """Mean number of running processes in the minute before: above 0.5, times are too long."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
