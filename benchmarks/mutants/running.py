"""Runs in forked processes: of a test file, traced, and of chosen tests on changed code."""

import gc
import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType

import pytest

from benchmarks.mutants.operators import mutated

OPTIONS = [
    *("-q", "--no-header", "--capture=sys", "-o", "addopts=--import-mode=importlib"),
    *("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:doctest"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # libraries are loaded before pytest starts
]
MEMORY = 12 << 30


def forked(work, seconds):
    """What ``work`` returns in a fork: its exit status (negative if a signal ended it) and the result.

    The seconds are of the processor's time, as other programs may run.
    """
    with tempfile.TemporaryFile("w+") as file:
        child = os.fork()
        if not child:
            status = 1
            try:
                signal.alarm(60 + 20 * int(seconds))
                resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 1,) * 2)
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                silence = os.open(os.devnull, os.O_WRONLY)
                if not os.environ.get("LOUD"):
                    os.dup2(silence, 1)
                    os.dup2(silence, 2)
                json.dump(work(), file)
                file.flush()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        file.seek(0)
        text = file.read()
    return os.waitstatus_to_exitcode(status), json.loads(text) if text else None


def traced(path, source):
    """Run one test file: of each test that passes its seconds and the functions that it enters."""
    tracer = Tracer(source)
    pytest.main([*OPTIONS, str(path)], plugins=[tracer])
    return {test: found for test, found in tracer.tests.items() if test not in tracer.failed}


class Tracer:
    """For each test of a run that passes its seconds and the functions of the package it enters.

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
        self.seen, start = set(), time.process_time()
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
            self.tests[item.nodeid] = [round(time.process_time() - start, 3), names]

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.add(report.nodeid)


class Chosen:
    """Keeps the named tests of a run, in the order of the names, and remembers the first that fails."""

    def __init__(self, tests):
        self.rank, self.failed = {test: i for i, test in enumerate(tests)}, None

    def pytest_collection_modifyitems(self, items):
        items[:] = sorted((i for i in items if i.nodeid in self.rank), key=lambda i: self.rank[i.nodeid])

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report):
        if report.failed:
            self.failed = self.failed or f"{report.nodeid} (not even imported)"


def at_import(mutant, tests):
    """Import the module with changed code and run the tests: the first that fails."""
    code = mutated(mutant)

    class Loader(SourceFileLoader):
        def get_code(self, name):
            return code

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name != mutant.module:
                return None
            loader = Loader(name, str(mutant.path))
            return importlib.util.spec_from_file_location(name, mutant.path, loader=loader)

    sys.meta_path.insert(0, Finder)
    chosen = Chosen(tests)
    files = sorted({test.split("::")[0] for test in tests})
    status = pytest.main([*OPTIONS, "-x", *files], plugins=[chosen])
    if status == pytest.ExitCode.USAGE_ERROR:
        return "tests/conftest.py (not even imported)"
    return chosen.failed


class InPlace(Chosen):
    """Collects once; then ``run`` forks for each mutant: functions get their new code, and its tests run."""

    def __init__(self, mutants, tests_of, run):
        super().__init__(dict.fromkeys(test for m in mutants for test in tests_of(m)))
        self.mutants, self.run, self.n_threads = mutants, run, _n_threads()

    def pytest_runtestloop(self, session):
        if self.failed:
            raise RuntimeError(f"{self.failed}, with the code as it is")
        if _n_threads() > self.n_threads:
            raise RuntimeError("a test module starts threads when imported: they do not live through a fork")
        self.items = {item.nodeid: item for item in session.items}
        for mutant in self.mutants:
            self.run(mutant, self.first_failure)
        return True

    def first_failure(self, mutant, tests):
        importlib.import_module(mutant.module)
        new = {code.co_firstlineno: code for code in _codes(mutated(mutant), mutant.body)}
        functions = [f for f in gc.get_objects() if type(f) is FunctionType]
        old = [f for f in functions if f.__code__.co_filename == str(mutant.path)]
        old = [f for f in old if f.__code__.co_qualname == mutant.body]
        assert old, f"{mutant.body} is not among the functions of {mutant.module}"
        for function in old:
            function.__code__ = new[function.__code__.co_firstlineno]
        items = [self.items[test] for test in tests if test in self.items]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                return self.failed
        return None


def _n_threads():
    return len(os.listdir("/proc/self/task"))


def _codes(code, name):
    """The code objects of the functions of this name."""
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return [c for c in inner if c.co_qualname == name] + [found for c in inner for found in _codes(c, name)]
