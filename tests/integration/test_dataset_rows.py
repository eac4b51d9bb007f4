"""The rows of data sets: one per version, and the newest is the current one."""

from datetime import UTC, datetime, timedelta

import pytest

from evalsvc.domain.errors import DatasetError, NotFound
from evalsvc.store.datasets import current_dataset, find_dataset, import_dataset, list_datasets
from evalsvc.store.sealing import Sealed
from evalsvc.store.session import Store

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
FIRST = Sealed("a" * 64, synthetic=True, images={"private": 6, "test": 12})
SECOND = Sealed("ab" * 32, synthetic=False, images={"private": 475, "test": 497})


def test_a_row_is_read_back(store: Store) -> None:
    with store.begin() as session:
        import_dataset(session, SECOND, "CSAW-M", NOW)
    with store.begin() as session:
        row = current_dataset(session)
    assert (row.version, row.name, row.synthetic, row.imported_at) == ("ab" * 32, "CSAW-M", False, NOW)
    assert row.images == {"private": 475, "test": 497}


def test_without_a_data_set_the_error_says_what_to_type(store: Store) -> None:
    with (
        store.begin() as session,
        pytest.raises(NotFound, match="imports one with `evalsvc admin dataset import DIR`"),
    ):
        current_dataset(session)


def test_the_newest_is_current_and_of_two_at_once_the_later_row(store: Store) -> None:
    third = Sealed("c" * 64, synthetic=False, images={})
    with store.begin() as session:
        import_dataset(session, FIRST, "first", NOW)
        import_dataset(session, SECOND, "second", NOW + timedelta(seconds=1))
        import_dataset(session, third, "third", NOW + timedelta(seconds=1))
    with store.begin() as session:
        assert current_dataset(session).name == "third"
        assert [row.name for row in list_datasets(session)] == ["third", "second", "first"]


def test_the_same_version_again_keeps_its_row_as_it_is(store: Store) -> None:
    with store.begin() as session:
        row = import_dataset(session, FIRST, "first", NOW)
        import_dataset(session, SECOND, "second", NOW + timedelta(days=1))
    with store.begin() as session:
        again = import_dataset(session, FIRST, "other name", NOW + timedelta(days=2))
        assert (again.id, again.name, again.imported_at) == (row.id, "first", NOW)
        assert current_dataset(session).name == "second"
        assert len(list_datasets(session)) == 2


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_that_does_not_fit_is_refused(store: Store, name: str) -> None:
    with store.begin() as session, pytest.raises(DatasetError, match="1 to 64 characters"):
        import_dataset(session, FIRST, name, NOW)


def test_a_version_is_found_by_its_first_digits(store: Store) -> None:
    with store.begin() as session:
        import_dataset(session, FIRST, "first", NOW)
        import_dataset(session, SECOND, "second", NOW)
        assert find_dataset(session, "aa").name == "first"
        assert find_dataset(session, "ab" * 32).name == "second"
        for version, count in (
            ("a", "2 data sets"),
            ("b", "No data set"),
            ("%", "No data set"),
            ("_", "No data set"),
        ):
            with pytest.raises(NotFound, match=f"{count} of a version that starts with"):
                find_dataset(session, version)
