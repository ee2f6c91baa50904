"""Model files as strangers would make them, and what reading one takes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import skops.io


def entries_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, header, payload, compression=zipfile.ZIP_DEFLATED):
    """A model file with a checksum that fits."""
    header = {**header, "sha256": hashlib.sha256(payload).hexdigest()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("semigen.json", json.dumps(header))
        archive.writestr("model.skops", payload)


def changed(path, made, change=lambda entries: None, tree=lambda root: None):
    """A copy of a model file whose inner files, or the tree in them, are changed."""
    outer = entries_of(made)
    with zipfile.ZipFile(io.BytesIO(outer["model.skops"])) as archive:
        inner = {name: archive.read(name) for name in archive.namelist()}
    root = json.loads(inner["schema.json"])
    tree(root)
    inner["schema.json"] = json.dumps(root).encode()
    change(inner)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in inner.items():
            archive.writestr(name, content)
    write(path, json.loads(outer["semigen.json"]), buffer.getvalue())
    return path


def saved_by_skops(path, model):
    """A file that holds a model as skops writes it, whatever semigen.save thinks of it."""
    name = f"{type(model).__module__}.{type(model).__qualname__}"
    write(path, {"format": 2, "estimator": name}, skops.io.dumps(model))
    return path


def nodes(root, kind):
    """All nodes of a class in a tree."""
    found = []
    if isinstance(root, list):
        for one in root:
            found += nodes(one, kind)
    elif isinstance(root, dict):
        if root.get("__class__") == kind and root.get("__loader__") == "ObjectNode":
            found.append(root)
        for one in root.values():
            found += nodes(one, kind)
    return found


def item_of(node, key):
    """The node of a value in the node of a dict."""
    keys = [json.loads(one["content"]) for one in node["keys"]]
    return node["content"][keys.index(key)]


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def with_array(path, made, kind, attribute, function):
    """A copy in which an array of the first object of a class is another one."""
    files = []

    def find(root):
        states = (one["content"]["content"] for one in nodes(root, kind))
        node = next(state[attribute] for state in states if attribute in state)
        files.append((node["file"], node))

    def change(inner):
        name, _ = files[0]
        inner[name] = npy(function(np.load(io.BytesIO(inner[name]))))

    return changed(path, made, change, find)


def after(first, paths, *calls):
    """Call functions on files in a process of its own: exit code, what was refused, and MiB that it took.

    The memory is the peak above that of the same process after it has loaded the first file. (What getrusage
    gives is at least that of the process which started it.)
    """
    program = (
        "import sys, semigen.io.models\n"
        "from semigen.exceptions import ModelFileError\n"
        "def peak():\n"
        "  if sys.platform != 'linux': return 0\n"
        "  return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024\n"
        "semigen.io.models.load(sys.argv[1])\n"
        "before = peak()\n"
        "for path in sys.argv[2:]:\n"
        + "".join(
            f"  try: {call}\n  except ModelFileError as error: print('refused:', error)\n" for call in calls
        )
        + "print(peak() - before)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, [first, *paths])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        return done.returncode, done.stderr[-500:], float("nan")
    *said, peak = done.stdout.strip().splitlines()
    return 0, said, float(peak)
