"""The formulas against values of textbooks and against what must hold of any queue."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.plan.queueing import Station, Time, closed_throughput, erlang_c, wait


@pytest.mark.parametrize(
    ("servers", "offered", "waits"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (10, 8.0, 0.4092), (5, 4.0, 0.5541), (3, 3.0, 1.0)],
)
def test_erlang_c(servers, offered, waits):
    assert erlang_c(servers, offered) == pytest.approx(waits, abs=1e-4)


def test_one_server_waits_as_pollaczek_and_khinchine_say():
    for scv in (0.0, 0.5, 1.0, 4.0):
        exact_s = 0.8 / (1 - 0.8) * 2.0 * (1 + scv) / 2
        assert wait(0.4, Time(2.0, scv * 4.0), 1).mean_s == pytest.approx(exact_s)


def test_a_queue_with_too_much_to_do_waits_for_ever():
    assert wait(2.0, Time(1.0), 2).mean_s == math.inf


@given(st.integers(1, 200), st.floats(0.01, 0.98))
def test_more_servers_at_the_same_load_wait_less(servers, busy):
    assert erlang_c(servers + 1, busy * (servers + 1)) <= erlang_c(servers, busy * servers) + 1e-12


@pytest.mark.parametrize(("shape", "p95"), [(1.0, 2.9957), (2.0, 4.7439), (10.0, 15.7052)])
def test_the_quantile_of_a_gamma_distribution(shape, p95):
    assert Time(shape, shape).quantile_s(1.6449) == pytest.approx(p95, rel=0.01)


def test_a_certain_time_is_its_own_quantile():
    assert Time(3.0, 0.0).quantile_s(1.6449) == 3.0


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.floats(0.001, 2.0), st.integers(1, 300)), min_size=1, max_size=3),
    st.floats(0.0, 5.0),
)
def test_a_closed_network_stays_within_its_asymptotic_bounds(customers, given_stations, delay_s):
    stations = tuple(Station(demand_s, servers) for demand_s, servers in given_stations)
    per_s = closed_throughput(customers, stations, delay_s)
    alone_s = delay_s + sum(each.demand_s for each in stations)
    slowest = min(each.servers / each.demand_s for each in stations)
    assert per_s <= min(customers / alone_s, slowest) * (1 + 1e-9)


def test_two_stations_in_a_ring_are_as_mean_value_analysis_has_them():
    # Balanced ring of 2 exponential stations of 1 s with 3 customers: X = n / (n + m - 1).
    assert closed_throughput(3, (Station(1.0), Station(1.0)), 0.0) == pytest.approx(3 / 4)
