"""Columns of personal data must be found, and plain columns must not be called personal."""

import ipaddress
import random

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given, settings
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from stagebook.data.pii import find_pii, is_card, is_iban

TEXTS = ["alpha", "beta", "gamma", "delta"]


@pytest.mark.parametrize(
    "name",
    [
        "email", "E-Mail", "eMail2", "customer_email_address", "phone", "Telefon-Nr", "mobile no", "first_name", "LastName",
        "Full Name", "surname", "Prénom", "Imię", "address", "home_address_1", "Straße", "ssn", "passport_number", "IBAN",
        "credit card", "cc_num", "ip", "IPAddress", "ipv4", "client_ip", "dob", "date of birth", "Geburtsdatum", "userName",
    ],
)  # fmt: skip
def test_name_that_says_personal_is_found(name):
    assert list(find_pii(pd.DataFrame({name: TEXTS}))) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "filename", "file_name", "model name", "name", "ship", "shipment", "description", "address_count", "company name",
        "company_address", "phone_model", "has_phone", "n_addresses", "zip", "tip", "ip_count", "street_type", "email_opened",
        "emailed", "birth_year", "age", "mobile_os", "relationship", "membership", "street width", "recipe", "wholesale",
    ],
)  # fmt: skip
def test_name_that_only_contains_such_a_word_is_not(name):
    assert find_pii(pd.DataFrame({name: TEXTS})) == {}


def test_name_without_such_values_is_not_found():
    frame = pd.DataFrame({"email": [0, 1, 1, 3], "phone": ["yes", "no", "no", "yes"], "mobile": [0.5, 0.1, 0.2, 0.3]})
    assert find_pii(frame.assign(address=[True, False, True, True], ssn=None)) == {}
    assert list(find_pii(pd.DataFrame({"phone": [15551234567, 15551234568, 15551234569]}))) == ["phone"]


def card(prefix):
    """A number with the check digit of cards."""
    return next(int(f"{prefix}{digit}") for digit in range(10) if is_card(f"{prefix}{digit}"))


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("e-mail addresses", ["ana@example.com", "write to bo.b+x@mail.example.org!", None, "none"]),
        ("IP addresses", ["192.0.2.1", "2001:db8::1", "::1"]),
        ("phone numbers", ["+1 202 555 0143", "+48 22 555 01 43", "+442079460958"]),
        ("IBANs", ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "pl61109010140000071219812874"]),
        ("credit card numbers", ["4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444"]),
        ("phone numbers", ["202-555-0143", "(212) 555-0187", "1-202-555-0143 x12"]),
        ("phone numbers", ["030/1234567", "0171 2345678", "020 7946 0958", "01 23 45 67 89"]),
        ("US social security numbers", ["536-90-4399", "219-09-9998"]),
        ("names of persons", ["Mr. B. Example", "Frau Dr. Schmidt", "Braund, Mr. Owen Harris"]),
        ("credit card numbers", [card(400_000_000_000_000 + 7 * i) for i in range(30)]),
    ],
)
def test_values_tell_whatever_the_column_is_called(what, values):
    assert what in find_pii(pd.DataFrame({"x": values}))["x"]


@pytest.mark.parametrize("name", ["name", "Kontakt", "customer", "Kunde", "Name"])
@pytest.mark.parametrize(
    "values",
    [
        ["Ada Lovelace 0", "Alan Turing 1"],
        ["Lovelace, Ada", "Turing, Alan M."],
        ["ADA LOVELACE", "Ludwig van Beethoven", "Élodie d'Été", "Anna-Lena Groß"],
    ],
)
def test_column_that_may_hold_persons_is_decided_by_its_values(name, values):
    assert "names of persons" in find_pii(pd.DataFrame({name: values}))[name]
    assert find_pii(pd.DataFrame({"model": values})) == {}


@pytest.mark.parametrize("name", ["name", "Kontakt", "customer", "owner"])
@pytest.mark.parametrize(
    "values",
    [
        ["chevrolet chevelle malibu", "ford torino"],
        ["A12", "B7"],
        ["Homo sapiens", "Iris setosa"],
        ["yes", "no"],
        ["Berlin", "Paris"],
        ["2024-01-31", "2024-02-29"],
    ],
)
def test_column_that_may_hold_persons_and_does_not_is_not_found(name, values):
    assert find_pii(pd.DataFrame({name: values})) == {}


PESEL = ["44051401359", "02070803628", "90090515836", "92071314764", "81100216357"]


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("Poland", PESEL),
        ("Spain", ["54362315K", "12345678Z", "00000000T", "11111111H", "99999999R"]),
        (
            "Italy",
            ["RCCMNL83S18D969H", "MRTMTT25D09F205Z", "MRTMTT25D09F205Z", "RSSMRA85T10A562S", "BNCGNN60D55L219R", "A"],
        ),
    ],
)
def test_personal_numbers_of_states_are_found_by_their_check_digits(what, values):
    assert what in find_pii(pd.DataFrame({"x": values})).get("x", ""), values


def test_codes_without_such_check_digits_are_not_found():
    draw = random.Random(0)
    for length in range(6, 17):
        codes = [f"{draw.randrange(10**length):0{length}}" for _ in range(300)]
        assert find_pii(pd.DataFrame({"x": codes, "y": [f"{code[:3]}-{code[3:]}" for code in codes]})) == {}
    stamps = pd.Series(range(1_700_000_000, 1_700_000_000 + 86_400 * 300, 86_400))
    assert (
        find_pii(
            pd.DataFrame({"x": stamps, "y": stamps.astype(str), "z": pd.to_datetime(stamps, unit="s").astype(str)})
        )
        == {}
    )


def test_categories_are_looked_at_too():
    assert "x" in find_pii(pd.DataFrame({"x": ["ana@example.com", "bo@example.com"]}, dtype="category"))


def test_fewer_than_half_is_not_enough():
    assert find_pii(pd.DataFrame({"note": ["ana@example.com", "late", "early"]})) == {}


def test_wrong_check_digits_are_not_enough():
    assert not is_iban("DE88370400440532013000")
    assert not is_card("4111111111111112")


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.one_of(st.integers(-(2**62), 2**62), st.none()), min_size=1), st.sampled_from(["x", "email", "street"])
)
def test_whole_numbers_are_no_personal_data(values, name):
    assert find_pii(pd.DataFrame({name: values})) == {}


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(allow_nan=True), min_size=1), st.sampled_from(["x", "phone", "ip"]), st.booleans())
def test_decimal_numbers_are_no_personal_data(values, name, as_text):
    frame = pd.DataFrame({name: values})
    if as_text:
        frame = frame.astype(str).rename(columns={name: "x"})
    elif (frame[name].dropna() % 1 == 0).all():  # whole numbers with gaps, as pandas reads them
        return
    assert find_pii(frame) == {}


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes, load_wine])
def test_known_tables_are_no_personal_data(load):
    assert find_pii(load(as_frame=True).frame) == {}


def test_a_long_table_is_sampled():
    random.seed(0)
    addresses = [str(ipaddress.ip_address(random.getrandbits(32))) for _ in range(50_000)]
    assert "100%" in find_pii(pd.DataFrame({"host": addresses}))["host"]
