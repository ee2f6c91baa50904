"""One pytest run in a forked process: of a test file, traced, or of chosen tests on a mutated module."""

import importlib.util
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections import defaultdict
from importlib.machinery import SourceFileLoader

import pytest

OPTIONS = [
    "-q",
    "--no-header",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:doctest",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
    "-o",
    "addopts=--import-mode=importlib",
]
MEMORY = 12 << 30


class Tracer:
    """For each test of a run that passes its seconds and the functions of the package that it enters.

    Those that its fixtures enter count, whichever test they were made for.
    """

    def __init__(self, source):
        self.source, self.seen, self.of_fixture, self.tests = str(source), set(), defaultdict(set), {}
        self.failed = set()

    def _call(self, frame, event, argument):
        self.seen.add(frame.f_code)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        before, self.seen = self.seen, set()
        try:
            return (yield)
        finally:
            self.of_fixture[fixturedef.argname] |= self.seen
            self.seen |= before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.seen, start = set(), time.perf_counter()
        sys.settrace(self._call)
        threading.settrace(self._call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            codes = self.seen.union(*(self.of_fixture[name] for name in item.fixturenames))
            names = sorted({
                f"{code.co_filename[len(self.source) + 1 :]}::{code.co_qualname}"
                for code in codes
                if code.co_filename.startswith(self.source)
            })  # fmt: skip
            self.tests[item.nodeid] = [round(time.perf_counter() - start, 3), names]

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.add(report.nodeid)

    def result(self):
        return {test: found for test, found in self.tests.items() if test not in self.failed}


class Chosen:
    """Keeps the named tests of a run, in the order of the names, and remembers the first that fails."""

    def __init__(self, tests):
        self.rank, self.failed = {test: i for i, test in enumerate(tests)}, None

    def pytest_collection_modifyitems(self, items):
        items[:] = sorted((i for i in items if i.nodeid in self.rank), key=lambda i: self.rank[i.nodeid])

    def pytest_runtest_logreport(self, report):
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report):
        if report.failed and not self.failed:
            self.failed = f"{report.nodeid} (not even imported)"

    def result(self):
        return self.failed


def replace(module, path, code):
    """From now on ``module`` is imported with this code."""

    class Loader(SourceFileLoader):
        def get_code(self, name):
            return code

    class Finder:
        @staticmethod
        def find_spec(name, path_=None, target=None):
            if name == module:
                return importlib.util.spec_from_file_location(name, path, loader=Loader(name, str(path)))
            return None

    sys.meta_path.insert(0, Finder)


def forked(plugin, arguments, seconds, before=None):
    """Run pytest in a fork, which has the libraries already: its exit code and the plugin's result.

    The exit code is -14 where the time was up, and that of pytest otherwise.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setsid()
            signal.alarm(int(seconds) + 1)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            silence = os.open(os.devnull, os.O_WRONLY)
            if not os.environ.get("LOUD"):
                os.dup2(silence, 1)
                os.dup2(silence, 2)
            if before:
                before()
            code = int(pytest.main([*OPTIONS, *arguments], plugins=[plugin]))
            with os.fdopen(writing, "w") as pipe:
                json.dump(plugin.result(), pipe)
        except BaseException:
            traceback.print_exc()
            code = 3
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), json.loads(text) if text else None
