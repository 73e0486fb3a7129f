"""The feature store must not see the future, and serving must get what training got.

TEST_STORE_URL names another database than a temporary SQLite file to try the online side on.
"""

import os
import re
import threading
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from stagebook.features.online import connect_store, describe_look_up, look_up, materialise
from stagebook.features.outages import drop_outages
from stagebook.features.store import Feature, FeatureView, join_point_in_time
from stagebook.project.errors import DataError, StoreError

TTL = 5  # minutes
VIEW = FeatureView(
    name="unit_test",
    entity=("key",),
    sources=("events",),
    owner="tests",
    description="what the events say",
    ttl=timedelta(minutes=TTL),
    features={"number": Feature("number", "a number"), "word": Feature("text", "a word")},
    compute=lambda events: events,
)
AGED = replace(
    VIEW, name="unit_test_aged", age="hours", features={**VIEW.features, "hours": Feature("number", "hours since then")}
)
START = pd.Timestamp("2013-01-01", tz="UTC")
keys, minutes = st.sampled_from(["a", "b", None]), st.integers(0, 20)
values = st.one_of(st.none(), st.integers(-9, 9))
histories = st.lists(st.tuples(keys, st.one_of(st.none(), minutes), values), max_size=15)
questions = st.lists(st.tuples(keys, st.one_of(st.none(), minutes)), max_size=8)

tried = settings(deadline=None, max_examples=60)


def clock(times):
    return pd.to_datetime(
        pd.Series([None if time is None else START + timedelta(minutes=time) for time in times]), utc=True
    )


def events(history):
    frame = pd.DataFrame(history, columns=["key", "time", "number"])
    words = [None if value is None else f"w{value}" for _, _, value in history]
    numbers = pd.to_numeric(frame["number"])
    return frame.assign(known_at=clock(time for _, time, _ in history), word=words, number=numbers)


def rows(asked):
    """The rows to join to; their index has duplicates and is in no order."""
    frame = pd.DataFrame({"key": [key for key, _ in asked], "asked": clock(time for _, time in asked)})
    return frame.set_axis([row % 3 for row in range(len(asked))][::-1])


def join(history, asked, view=VIEW):
    return join_point_in_time(rows(asked), "asked", [view], {"events": events(history)})


def by_hand(history, key, now):
    """The newest value of the key that is known and not too old; the last of those of the same time."""
    if key is None or now is None:
        return None
    usable = [(time, value) for owner, time, value in history if owner == key and time is not None and time <= now]
    last = max((time for time, _ in usable), default=None)
    return [value for time, value in usable if time == last][-1] if usable and now - last <= TTL else None


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATURE_STORE_URL", os.environ.get("TEST_STORE_URL", ""))
        engine = connect_store(tmp_path_factory.mktemp("store"))
    yield engine
    engine.dispose()


@tried
@given(histories, questions)
def test_each_row_gets_the_newest_known_value_and_no_row_is_lost_or_moved(history, asked):
    joined = join(history, asked)
    pd.testing.assert_frame_equal(joined[["key", "asked"]], rows(asked))
    expected = [by_hand(history, key, now) for key, now in asked]
    assert joined["number"].astype(object).where(joined["number"].notna(), None).tolist() == expected
    assert joined["word"].tolist() == ["" if value is None else f"w{value}" for value in expected]
    assert joined["number"].dtype == "float32"
    assert joined["word"].dtype == "str"


@tried
@given(histories, st.lists(st.tuples(keys, minutes, values), max_size=8), questions, minutes, st.randoms())
def test_what_happens_later_changes_nothing(history, later, asked, now, random):
    asked = [(key, now if time is None else min(time, now)) for key, time in asked]
    known = [event for event in history if event[1] is None or event[1] <= now]
    other = list(known)
    for key, time, value in later:
        other.insert(random.randint(0, len(other)), (key, now + 1 + time, value))
    pd.testing.assert_frame_equal(join(other, asked), join(known, asked))


@tried
@given(histories, minutes)
def test_serving_looks_up_what_training_joined(engine, history, now):
    asked = [("a", now), ("b", now), (None, now), ("nobody", now), ("a", now)]
    now = START + timedelta(minutes=now)
    materialise(VIEW, {"events": events(history)}, engine, as_of=now)
    found = look_up(VIEW, rows(asked), engine, now)
    pd.testing.assert_frame_equal(found, join(history, asked)[["number", "word"]])


@pytest.mark.parametrize("ttl", [VIEW.ttl, None])
@tried
@given(histories, minutes, questions)
def test_serving_gets_values_and_ages_as_in_training_for_each_row_at_its_own_time(engine, ttl, history, now, waits):
    view = replace(AGED, ttl=ttl)
    known = [event for event in history if event[1] is None or event[1] <= now]
    asked = [(key, None if wait is None else now + wait) for key, wait in waits]
    materialise(view, {"events": events(known)}, engine, as_of=START + timedelta(minutes=now))
    found = look_up(view, rows(asked), engine, rows(asked)["asked"])
    pd.testing.assert_frame_equal(found, join(known, asked, view)[["number", "word", "hours"]])


def test_the_age_is_in_hours_and_ends_with_the_value():
    asked = [("a", 0), ("a", 3), ("a", 6), ("b", 3)]
    for ttl, hours in ((VIEW.ttl, [0, 0.05, -1, -1]), (None, [0, 0.05, 0.1, -1])):
        joined = join([("a", 0, 7)], asked, replace(AGED, ttl=ttl))
        assert joined["hours"].fillna(-1).tolist() == pytest.approx(hours)
        assert joined["number"].isna().equals(joined["hours"].isna())
        assert joined["hours"].dtype == "float32"


def test_as_many_times_as_rows_are_asked_for(engine):
    materialise(VIEW, {"events": events([("a", 1, 5)])}, engine)
    with pytest.raises(StoreError, match="unit_test: 2 times for 1 rows"):
        look_up(VIEW, pd.DataFrame({"key": ["a"]}), engine, clock([1, 2]))


def test_a_value_may_be_used_from_its_minute_to_the_end_of_its_life():
    assert join([("a", 3, 7)], [("a", 2), ("a", 3), ("a", 8), ("a", 9)])["number"].fillna(0).tolist() == [0, 7, 7, 0]


def test_a_key_is_the_same_as_number_and_as_text(engine):
    history = events([("7", 1, 5)])
    materialise(VIEW, {"events": history}, engine)
    for key in (7, 7.0, "7"):
        asked = pd.DataFrame({"key": [key, None], "asked": START + timedelta(minutes=1)})
        assert join_point_in_time(asked, "asked", [VIEW], {"events": history})["number"].fillna(0).tolist() == [5, 0]
        assert look_up(VIEW, asked, engine, asked["asked"][0])["number"].fillna(0).tolist() == [5, 0]


def test_a_view_may_have_several_keys_and_there_may_be_many(engine):
    pair = replace(VIEW, name="unit_test_pair", entity=("key", "place"))
    history = events([("a", 1, 1), ("a", 1, 2), ("b", 1, 3)]).assign(place=["x", "y", "x"])
    assert len(materialise(pair, {"events": history}, engine)) == 3
    some = pd.DataFrame({"key": ["b", "a", "b", "a"], "place": ["x", "y", "y", "x"]})
    crowd = pd.DataFrame({"key": [str(number) for number in range(20_000)], "place": "z"})
    for asked in (some, pd.concat([some, crowd])):
        found = look_up(pair, asked, engine, START + timedelta(minutes=1))
        assert found["number"].fillna(0).tolist()[:4] == [3, 2, 0, 1]
        assert len(found) == len(asked)


def test_a_reader_sees_the_old_or_the_new_values_never_half(engine):
    everyone = pd.DataFrame({"key": [f"k{number}" for number in range(300)]})
    tables = [{"events": everyone.assign(known_at=START, number=value, word=str(value))} for value in (0, 1)]
    materialise(VIEW, tables[0], engine)
    seen, done = [], threading.Event()

    def read():
        while not done.is_set() or not seen:
            seen.append(set(look_up(VIEW, everyone, engine, START)["word"]))

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(20):
        materialise(VIEW, tables[turn % 2], engine)
    done.set()
    reader.join()
    assert seen
    assert all(words in ({"0"}, {"1"}) for words in seen)


def test_a_write_that_fails_leaves_the_old_values(engine):
    asked = pd.DataFrame({"key": ["a"]})
    other = replace(VIEW, features={**VIEW.features, "more": Feature("number", "a new one")})
    materialise(VIEW, {"events": events([("a", 1, 5)])}, engine)

    def refuse(connection, cursor, statement, *_):
        if statement.startswith("INSERT"):
            raise sa.exc.OperationalError(statement, None, OSError("disk full"))

    sa.event.listen(engine, "before_cursor_execute", refuse)
    try:
        for view in (VIEW, other):  # the second one makes the table anew before it fails
            with pytest.raises(StoreError, match="disk full"):
                materialise(view, {"events": events([("a", 1, 6)]).assign(more=1)}, engine)
    finally:
        sa.event.remove(engine, "before_cursor_execute", refuse)
    assert look_up(VIEW, asked, engine, START + timedelta(minutes=1))["number"].tolist() == [5]


def test_a_view_that_is_not_there_or_differs_is_said_so_and_can_be_written_anew(engine):
    asked = pd.DataFrame({"key": ["a"]})
    view = replace(VIEW, name="unit_test_changed")
    with pytest.raises(StoreError, match=r"does not have unit_test_absent as it is defined now\. `stagebook features`"):
        look_up(replace(VIEW, name="unit_test_absent"), asked, engine, START)
    changed = replace(view, features={"number": Feature("text", "now a text")})
    for version in (view, changed):
        materialise(version, {"events": events([("a", 1, 5)])}, engine)
    assert look_up(changed, asked, engine, START + timedelta(minutes=1))["number"].tolist() == ["5"]
    with pytest.raises(StoreError, match="unit_test_changed as it is defined now"):
        look_up(view, asked, engine, START)


def test_a_password_is_never_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("FEATURE_STORE_URL", "postgresql://me:s3cret@127.0.0.1:1/store?password=s3cret")
    with pytest.raises(StoreError, match=r"127.0.0.1:1/store: .*refused") as error:
        look_up(VIEW, pd.DataFrame({"key": ["a"]}), connect_store(tmp_path), START)
    assert "s3cret" not in str(error.value)
    monkeypatch.setenv("FEATURE_STORE_URL", "me:s3cret")
    with pytest.raises(StoreError, match="is no SQLAlchemy URL") as error:
        connect_store(tmp_path)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": {"wings": Feature("number", "")}}, "returns no column wings"),
        ({"features": {"word": Feature("number", "")}}, "word is not a number"),
        ({"features": {"asked": Feature("number", "")}}, "there is a column asked already"),
        ({"entity": ("number",)}, "a name occurs twice in number"),
        ({"entity": ("tail",)}, "the key column tail is missing"),
        ({"features": {"word": Feature("date", "")}}, "each of the type number or text"),
        ({"name": "no name"}, "letters, digits and underscores"),
        ({"age": "hours"}, "its `age`, 'hours', must be one of `features`, a number"),
        ({"age": "word"}, "its `age`, 'word', must be one of `features`, a number"),
        ({"compute": lambda events: events.assign(known_at=2013)}, "are no times"),
        ({"compute": lambda events: events.assign(known_at="ever")}, "ever"),
        ({"compute": lambda events: events.assign(key=1.5)}, "must be text or a whole number"),
    ],
)
def test_a_wrong_view_is_named(change, words):
    with pytest.raises(DataError, match=words):
        join([("a", 1, 5)], [("a", 1)], replace(VIEW, **change))


@pytest.mark.parametrize(
    ("key", "at", "words"),
    [
        (["a"], None, ["unit_test, key a, at 2013-01-01 00:01 UTC, the time of the newest data:", "number", "5", "a word"]),
        (["a"], "2013-01-01 00:04", ["at 2013-01-01 00:04 UTC:", "Known at 2013-01-01 00:01 UTC, 0 days 00:03:00 before"]),
        (["a"], "2013-01-01 00:09", ["It is stale: serving gets no value.", "time to live 0 days 00:05:00"]),
        (["a"], "2012-12-31", ["It is not yet known: serving gets no value."]),
        (["a"], "now", ["It is stale"]),
        (["b"], None, ["unit_test, key b: missing. The store has no such key; serving gets no value."]),
    ],
)  # fmt: skip
def test_what_serving_gets_is_described(tmp_path, monkeypatch, key, at, words):
    monkeypatch.delenv("FEATURE_STORE_URL", raising=False)
    engine = connect_store(tmp_path)
    materialise(VIEW, {"events": events([("a", 1, 5)])}, engine)
    engine.dispose()
    said = describe_look_up(tmp_path, VIEW, key, at)
    assert [word for word in words if word not in said] == [], said


def test_a_value_that_does_not_age_is_described(tmp_path, monkeypatch):
    monkeypatch.delenv("FEATURE_STORE_URL", raising=False)
    engine = connect_store(tmp_path)
    view = replace(AGED, ttl=None)
    materialise(view, {"events": events([("a", 1, 5)])}, engine)
    said = describe_look_up(tmp_path, view, ["a"], "2013-01-02 00:01")
    assert re.search(r"^  hours +24 +hours since then$", said, re.MULTILINE), said
    assert "1 days 00:00:00 before; good until a newer value is known." in said
    reference = replace(VIEW, ttl=None)
    materialise(reference, {"events": events([("a", 1, 5)]).assign(known_at="always")}, engine)
    engine.dispose()
    said = describe_look_up(tmp_path, reference, ["a"], None)
    assert said.startswith("unit_test, key a:\n  number")
    assert said.endswith("\nReference data: always known.")


@pytest.mark.parametrize("key", [[], ["a", "b"]])
def test_a_look_up_with_another_number_of_values_is_refused(tmp_path, key):
    with pytest.raises(StoreError, match=f"unit_test is looked up by key: one value for each, not {len(key)} values"):
        describe_look_up(tmp_path, VIEW, key, None)


def test_outages_drop_whole_periods_long_before_the_validation_only():
    hours = pd.date_range("2013-01-01", periods=20 * 24, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    weather, until = pd.DataFrame({"time_hour": hours}), pd.Timestamp("2013-01-11", tz="UTC")
    kept = drop_outages(weather, "time_hour", until, 0.5, 0)
    assert len(weather) - len(kept) == 9 * 12, "half of the 18 half-days of nine days"
    assert set(hours[hours >= "2013-01-10"]) <= set(kept["time_hour"])
    assert drop_outages(weather, "time_hour", until, 0, 0).equals(weather)
    with pytest.raises(DataError, match=r"share of outages is 1\.5: it must be from 0 to below 1"):
        drop_outages(weather, "time_hour", until, 1.5, 0)
