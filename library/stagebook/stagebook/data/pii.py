"""Which columns look like personal data, by their names and by their values. A first guess: a person decides."""

import ipaddress
import re
import unicodedata

import pandas as pd

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
        if reason := _by_name(str(name), values) or _by_values(values):
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


def _by_values(values: pd.Series) -> str | None:
    if pd.api.types.is_integer_dtype(values):  # one number in ten passes the card's check by chance
        checks = {"credit card numbers": is_card} if values.nunique() >= 20 else {}
    elif pd.api.types.is_string_dtype(values) or values.dtype in ("object", "category"):
        checks = VALUES
    else:
        return None
    texts = [str(value)[:500].strip() for value in values]
    for what, check in checks.items():
        share = sum(map(check, texts)) / len(texts)
        if share >= SHARE:
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


def is_phone(text: str) -> bool:
    """Say whether the text is a phone number in international form, such as +1 202 555 0143."""
    return bool(re.fullmatch(r"\+[1-9][\d ()/-]{6,}\d", text)) and 8 <= sum(map(str.isdigit, text)) <= 15


def is_iban(text: str) -> bool:
    """Say whether the text is an IBAN with the right check digits (ISO 13616)."""
    text = text.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", text):
        return False
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


def is_card(text: str) -> bool:
    """Say whether the text is a number of 14 to 16 digits as cards have, with the right check digit (Luhn)."""
    digits = re.sub(r"(?<=\d)[ -](?=\d)", "", text)
    if not re.fullmatch(r"[3-6][0-9]{13,15}", digits):
        return False
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


VALUES = {
    "e-mail addresses": is_email,
    "IP addresses": is_network_address,
    "phone numbers": is_phone,
    "IBANs": is_iban,
    "credit card numbers": is_card,
}
