"""Which columns look like personal data, by their names and by their values. A first guess: a person decides."""

import ipaddress
import re
import unicodedata

import pandas as pd
from stdnum import luhn
from stdnum.be import nn
from stdnum.bg import egn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.cz import rc
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.iban import is_valid as is_valid_iban
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.tr import tckimlik
from stdnum.us import ssn

__all__ = ["find_pii"]

SAMPLE = 1_000  # values looked at per column
SHARE = 0.5  # of them must look alike
# Names of columns, in a few languages, as words; the column may have more words before them: `customer_email`.
NAMES = {
    "an e-mail address": "email, e mail, email address, mail address, adresse mail, correo electronico",
    "a phone number": "phone, telephone, telefon, telefono, telefonnummer, mobile, handynummer, fax",
    "a person's name": "first name, firstname, last name, lastname, full name, fullname, surname, given name, forename, "
    "family name, middle name, maiden name, user name, username, customer name, client name, patient name, "
    "employee name, passenger name, person name, contact name, vorname, nachname, prenom, apellido, apellidos, "
    "cognome, imie, nazwisko, voornaam, achternaam",
    "an address": "address, address line, street, street name, strasse, anschrift, adresse, adres, indirizzo, direccion",
    "a number of a person": "ssn, social security, passport, national id, tax id, "
    "drivers license, driver license, driving licence, license plate, nino, pesel, cpf, dni, iban, bank account, "
    "credit card, creditcard, card number, cc number",
    "a date of birth": "birth date, birthdate, birthday, date of birth, dob, geburtsdatum, date de naissance, "
    "fecha de nacimiento, data di nascita, data urodzenia",
    "an address in a network": "ip, ip address, ip addr, ipv, mac address, imei",
}
# Names of columns that may hold names of persons, or of anything else: their values decide.
MAYBE_PERSONS = (
    "name, names, person, persons, contact, kontakt, ansprechpartner, ansprechpartnerin, customer, client, kunde, kundin, "
    "patient, employee, mitarbeiter, mitarbeiterin, student, teacher, author, owner, user, member, passenger, driver, agent, "
    "recipient, signatory, applicant, borrower, tenant, mieter, doctor, arzt, nombre, nom, nome, navn, namn, naam, contacto, "
    "contatto, cliente, klient, pracownik, medewerker, klant, salesperson"
)
PHRASES = {tuple(name.split()): reason for reason, names in NAMES.items() for name in names.split(", ")}
INTEGERS = {"a phone number", "a number of a person", "an address in a network"}  # what a column of integers may be
COUNTS = {"has", "is", "count", "n", "number", "total"}  # as the first word: `has_phone`, `n_addresses`
NO_PERSON = {"company", "business", "store", "shop", "branch", "web", "url", "memory", "station", "airport"}


def find_pii(frame: pd.DataFrame) -> dict[str, str]:
    """Return, by column, why it looks like personal data; columns that do not are left out."""
    found = {}
    for position, name in enumerate(frame.columns):
        values = frame.iloc[:, position].dropna()
        values = values.iloc[:: max(1, len(values) // SAMPLE)].head(SAMPLE)
        if not len(values) or pd.api.types.is_bool_dtype(values):
            continue
        if reason := _by_name(str(name), values) or _by_values(values, maybe_persons=is_maybe_persons(str(name))):
            found[name] = reason
    return found


def split_words(name: str) -> list[str]:
    """Return the words of a column's name: `EMail`, `e-mail` and `e_mail_2` are all e, mail."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|\d+$", " ", name)
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    words = [word for word in re.split(r"[\W_]+", plain) if word and not word.isdigit()]
    return ["number" if word in ("num", "no", "nr") else word for word in words]


def _by_name(name: str, values: pd.Series) -> str | None:
    words = split_words(name)
    shorter = words[:-1] if words[-1:] == ["number"] else []
    tails = [tuple(some[start:]) for some in (words, shorter) for start in range(len(some))]
    reason = next((PHRASES[tail] for tail in tails if tail in PHRASES), None)
    if reason is None or words[0] in COUNTS or NO_PERSON & set(words):
        return None
    if len(values) > 2 and values.nunique() <= 2:
        return None  # a yes and a no
    if pd.api.types.is_numeric_dtype(values):
        whole = (values % 1 == 0).all() and values.abs().median() >= 10_000
        return f"its name says {reason}" if whole and reason in INTEGERS else None
    return f"its name says {reason}"


def is_maybe_persons(name: str) -> bool:
    """Tell whether a column of this name may hold persons: `name`, `Kontakt`, `customer`."""
    words = split_words(name)
    return len(words) == 1 and words[0] in MAYBE_PERSONS.split(", ")


def _by_values(values: pd.Series, maybe_persons: bool) -> str | None:
    texts = [str(value)[:500].strip() for value in values]
    if pd.api.types.is_integer_dtype(values):  # one number in ten passes a check digit by chance
        checks = {"credit card numbers": is_card} if values.nunique() >= 20 else {}
    elif pd.api.types.is_string_dtype(values) or values.dtype in ("object", "category"):
        checks = VALUES | ({"names of persons": is_person} if maybe_persons else {})
    else:
        return None
    for what, check in checks.items():
        share = sum(map(check, texts)) / len(texts)
        if share >= SHARE:
            return f"{share:.0%} of its values look like {what}"
    enough = values.nunique() >= (20 if pd.api.types.is_integer_dtype(values) else 5)
    return _by_check_digits(texts) if enough else None


def _by_check_digits(texts: list[str]) -> str | None:
    """Return which country's personal numbers the texts are, if most of them pass its checks."""
    if sum(sum(map(str.isdigit, text)) >= 5 and len(text) <= 20 for text in texts) < SHARE * len(texts):
        return None
    for what, module in PERSONAL_NUMBERS.items():
        for part in (texts[:50], texts):
            share = sum(map(module.is_valid, part)) / len(part)
            if share < SHARE:
                break
        else:
            return f"{share:.0%} of its values look like {what}"
    return None


def is_email(text: str) -> bool:
    """Say whether there is an e-mail address in the text."""
    return bool(re.search(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", text))


def is_network_address(text: str) -> bool:
    """Say whether the text is an IPv4 or IPv6 address."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


PHONES = re.compile(
    r"\+[1-9][\d ()/.-]{6,}\d|"  # international
    r"(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])\d{3}[ .-]\d{4}(?: ?(?:x|ext\.?) ?\d+)?|"  # North America
    r"0\d(?:[ .]\d\d){4}|"  # France
    r"\(?0\d{1,4}\)?[ /-]+\d{3,8}(?:[ -]\d{2,6}){0,3}"  # Germany, United Kingdom and others, with the 0 of the area
)


def is_phone(text: str) -> bool:
    """Say whether the text is a phone number as people write them: +1 202 555 0143, 202-555-0143, 030/1234567."""
    return bool(PHONES.fullmatch(text)) and 8 <= sum(map(str.isdigit, re.split("x|ext", text)[0])) <= 15


def is_social_security(text: str) -> bool:
    """Say whether the text is a US social security number as it is written, 536-90-4399, in a range that is given out."""
    return bool(re.fullmatch(r"\d{3}-\d\d-\d{4}", text)) and ssn.is_valid(text)


def is_iban(text: str) -> bool:
    """Say whether the text is an IBAN with the right check digits (ISO 13616)."""
    return bool(re.match(r"[A-Za-z]{2}\d\d", text)) and is_valid_iban(text)


def is_card(text: str) -> bool:
    """Say whether the text is a number of 14 to 16 digits as cards have, with the right check digit (Luhn)."""
    digits = re.sub(r"(?<=\d)[ -](?=\d)", "", text)
    return bool(re.fullmatch(r"[3-6][0-9]{13,15}", digits)) and luhn.is_valid(digits)


WORD = r"[^\W\d_a-zß-öø-ÿ][\w'\u2019]*(?:-[^\W\d_][\w'\u2019]*)*\.?"  # from a capital letter on
PARTICLE = r"(?:v[ao]n|de[lnr]?|d[aiou]s?|la|le|bin|ibn|al|el|ter|ten|zu|y|e)"
PERSON = re.compile(rf"{WORD}(?:,? (?:{PARTICLE} )*{WORD}){{1,4}}(?: [(\"].*)?(?: \d+)?")
TITLED = re.compile(
    rf"(?:.*, )?(?:Mr|Mrs|Ms|Miss|Mister|Dr|Prof|Herr|Frau|Hr|Sir|Mme|Mlle|Sra?|Srta|Sig|Sig\.ra|Rev|Master|Pan|Pani)\.? {WORD}.*"
)


def is_person(text: str) -> bool:
    """Say whether the text has the form of a name: Ada Lovelace, VAN DER BERG Anna, Braund, Mr. Owen. Places have it too."""
    return bool(PERSON.fullmatch(text) or TITLED.fullmatch(text))


def is_titled_person(text: str) -> bool:
    """Say whether the text is a person with a title, such as Mr. B. Example."""
    return bool(TITLED.fullmatch(text))


VALUES = {
    "e-mail addresses": is_email,
    "IP addresses": is_network_address,
    "phone numbers": is_phone,
    "IBANs": is_iban,
    "credit card numbers": is_card,
    "US social security numbers": is_social_security,
    "names of persons": is_titled_person,
}
# Numbers that a state gives a person, with check digits or a date of birth in them (python-stdnum).
PERSONAL_NUMBERS = {
    "personal numbers of Belgium": nn,
    "personal numbers of Brazil": cpf,
    "personal numbers of Bulgaria": egn,
    "personal numbers of China": ric,
    "personal numbers of Czechia or Slovakia": rc,
    "personal numbers of Denmark": cpr,
    "personal numbers of Finland": hetu,
    "personal numbers of France": nir,
    "tax numbers of Germany": idnr,
    "personal numbers of India": aadhaar,
    "tax numbers of Italy": codicefiscale,
    "personal numbers of Korea": rrn,
    "personal numbers of Mexico": curp,
    "personal numbers of the Netherlands": bsn,
    "personal numbers of Norway": fodselsnummer,
    "personal numbers of Poland": pesel,
    "personal numbers of Romania": cnp,
    "personal numbers of Spain": dni,
    "foreigners' numbers of Spain": nie,
    "personal numbers of Sweden": personnummer,
    "social security numbers of Switzerland": ahv,
    "personal numbers of Turkey": tckimlik,
}
