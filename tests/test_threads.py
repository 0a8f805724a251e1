import gc
import os
import threading
import time
import weakref
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqf.threads import each, thread_count


def test_threads_asked_for_are_taken_as_they_are():
    assert [thread_count(n) for n in (1, 2, 64)] == [1, 2, 64]


def test_none_means_the_processors_of_this_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 8}, raising=False)
    assert thread_count(None) == 3


def test_none_means_the_processors_of_the_machine_where_affinity_is_unknown(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert thread_count(None) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert thread_count(None) == 1


@pytest.mark.parametrize("threads", [0, -1])
def test_fewer_than_one_thread_is_a_value_error(threads):
    with pytest.raises(ValueError, match=f"threads must be at least 1, not {threads}"):
        thread_count(threads)


@pytest.mark.parametrize("threads", [1.0, "2", True, b"1"])
def test_threads_of_another_type_are_a_type_error(threads):
    with pytest.raises(TypeError, match=f"threads must be .*not {type(threads).__name__}"):
        thread_count(threads)


@given(st.lists(st.integers(), max_size=30), st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(items, threads):
    assert list(each(lambda item: item * 3, items, threads)) == [item * 3 for item in items]


@pytest.mark.parametrize("threads", [2, 3])
def test_results_come_in_order_where_the_first_take_longest(threads):
    def work(item):
        time.sleep(0.002 * (12 - item))
        return item

    assert list(each(work, range(12), threads)) == list(range(12))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_only_so_many_items_are_taken_ahead_of_the_results(threads):
    taken = []

    def items():
        for item in range(50):
            taken.append(item)
            yield item

    for done, _ in enumerate(each(lambda item: item, items(), threads)):
        assert len(taken) - done <= 2 * threads


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_reaches_the_caller_after_the_results_before_it(threads):
    def work(item):
        if item == 5:
            raise KeyError("the fifth")
        return item

    seen = []
    with pytest.raises(KeyError, match="the fifth"):
        seen.extend(iter_into(seen, each(work, range(10), threads)))
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("threads", [1, 4])
def test_the_error_of_an_item_comes_before_that_of_items_behind_it(threads):
    def items():
        yield from range(6)
        raise IndexError("no more")

    def work(item):
        if item == 5:
            raise KeyError("the fifth")
        return item

    with pytest.raises(KeyError, match="the fifth"):
        list(each(work, items(), threads))


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("number", [0, 1, 5, 20])
def test_an_error_of_the_items_comes_after_all_results(number, threads):
    def items():
        yield from range(number)
        raise KeyError

    seen = []
    with pytest.raises(KeyError):
        seen.extend(iter_into(seen, each(lambda item: item, items(), threads)))
    assert seen == list(range(number))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("ending", ["work", "items", "both", "close"])
def test_nothing_is_kept_once_it_is_over(ending, threads):
    class Thing:
        pass

    things = []

    def items():
        for _ in range(3 if ending == "both" else 9):
            thing = Thing()
            things.append(weakref.ref(thing))
            yield thing
        if ending in ("items", "both"):
            raise KeyError

    def work(thing):
        if ending == "both" or (ending == "work" and len(things) > 6):
            raise KeyError
        return Thing()

    def run():
        results = each(work, items(), threads)
        if ending == "close":
            next(results)
            results.close()
        else:
            for _ in results:
                pass

    gc.disable()
    try:
        with suppress(KeyError):
            run()
        assert len(things) >= 3
        assert not any(thing() for thing in things)
    finally:
        gc.enable()


def iter_into(seen, results):
    for result in results:
        seen.append(result)
    return ()


def test_one_thread_is_the_callers_own():
    workers = set(each(lambda item: threading.get_ident(), range(5), 1))
    assert workers == {threading.get_ident()}


def test_two_threads_work_at_the_same_time():
    meeting = threading.Barrier(2, timeout=20)
    assert sorted(each(lambda item: meeting.wait(), range(2), 2)) == [0, 1]


def test_the_callers_thread_is_one_of_two_and_takes_all_items():
    here, takers = threading.get_ident(), set()
    meeting = threading.Barrier(2, timeout=20)

    def items():
        for item in range(20):
            takers.add(threading.get_ident())
            yield item

    def work(item):
        if item < 2:
            meeting.wait()
        return threading.get_ident()

    workers = set(each(work, items(), 2))
    assert len(workers) == 2
    assert here in workers
    assert takers == {here}


def test_whoever_waits_for_the_first_does_the_others():
    others, done = [], threading.Event()

    def work(item):
        if not item:
            return done.wait(20)
        others.append(item)
        if len(others) == 3:
            done.set()
        return True

    assert list(each(work, range(4), 2)) == [True] * 4


def test_nothing_is_begun_once_nobody_asks_for_more():
    here, begun, closing = threading.get_ident(), [], threading.Event()

    def work(item):
        begun.append(item)
        if item and threading.get_ident() == here:
            # Time for the other thread to work on the first.
            time.sleep(0.1)
        elif item:
            closing.wait(20)

    results = each(work, range(100), 2)
    next(results)
    threading.Timer(0.1, closing.set).start()
    results.close()
    # The first, what the caller did meanwhile, and what the other thread was at: a fourth waited.
    assert len(begun) <= 3


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_interrupt_stops_at_once(threads):
    here, begun = threading.get_ident(), []

    def work(item):
        begun.append(item)
        if threading.get_ident() == here:
            raise KeyboardInterrupt
        time.sleep(0.002)

    with pytest.raises(KeyboardInterrupt):
        list(each(work, range(1000), threads))
    assert len(begun) <= 2 * threads
