"""Identifiers as channels know them, brought to one form, and the trace that a touchpoint belongs to."""

import hmac
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, ClassVar, Literal, get_args
from uuid import UUID

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumberFormat, PhoneNumberType
from stdnum.exceptions import ValidationError as WrongNumber

from common.company import Company
from common.errors import FieldError, Invalid
from common.ids import id_of
from common.names import fold
from common.values import value

# Raised with every change of a normal form; stored ids of an older one must be made anew.
# 2: zeros in front of NITs and Argentine documents, the check digit of a Peruvian DNI, a Spanish NIF under its own kind.
# 3: documents with a label, as quantities, under their types in full, without their letter; old Chilean phones.
# 4: phones and documents with an exponent.
# 5: e-mails with a name, quotes or mailto: around them, several in one field.
NORMALISATION = 5

# The strongest scheme first: it names the trace.
Scheme = Literal["customer", "document", "account", "email", "partner", "phone", "device"]
RANK = {scheme: place for place, scheme in enumerate(get_args(Scheme))}
PERSONAL = frozenset(
    {"customer", "document", "account", "email", "partner"}
)  # they name a person, not a line or a machine
SHARED = frozenset({"phone", "device"})  # families and offices share them; accounts of organisations by configuration

LONGEST = 256  # characters of a value

FEWEST_PHONE_DIGITS = 7  # fewer are no misspelt phone but something else
# what exchanges put in the place of a number that the caller keeps to himself
_WITHHELD = frozenset(
    {"anonymous", "unknown", "private", "restricted", "unavailable", "withheld", "desconocido", "privado", "oculto"}
)
_UNREAD = "~"  # in front of a value that is kept although it has no normal form
_MISREAD = frozenset({"not-a-phone", "not-an-email", "no-document-type", "not-a-document", "wrong-check-digit"})

# Messengers that run on phone numbers, and what else channels call a scheme of ours.
_ON_PHONES = frozenset({"whatsapp", "telegram-phone", "signal", "sms", "viber"})
_ALIASES = {
    **dict.fromkeys(("tel", "telephone", "mobile", "cell", "telefono", "celular", "movil"), "phone"),
    **dict.fromkeys(("mail", "e-mail", "mailto", "correo"), "email"),
    **dict.fromkeys(("doc", "documento"), "document"),
    **dict.fromkeys(("cookie", "visitor"), "device"),
}


class InvalidIdentifier(Invalid):
    """It cannot be brought to a normal form. `reason` says why, in kebab-case; the words never repeat the value."""

    code: ClassVar[str] = "invalid-identifier"
    title: ClassVar[str] = "Not an identifier"

    def __init__(
        self, detail: str, *, reason: str, pointer: str | None = None, errors: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(detail, pointer=pointer, errors=errors)
        self.reason = reason


@value(frozen=True, slots=True)
class Identifier:
    """One identifier in normal form, and as it was given."""

    scheme: str
    value: str
    given: str

    @property
    def text(self) -> str:
        """The whole identifier, `scheme:value`: equal texts are the same identifier."""
        return f"{self.scheme}:{self.value}"

    @property
    def readable(self) -> bool:
        """Whether the value has a normal form; one that has none is kept as it was written, for what it is worth."""
        return not self.value.startswith(_UNREAD)

    @property
    def personal(self) -> bool:
        """Whether it names a person rather than a line or a machine."""
        return self.scheme in PERSONAL and self.readable


@value(frozen=True, slots=True)
class Trace:
    """The trail that one person leaves under one identifier. `text` is that identifier; none: an anonymous touchpoint."""

    trace_id: UUID
    scheme: str | None
    text: str | None


@value(frozen=True, slots=True)
class Reading:
    """What could be made of the identifiers of a touchpoint, and a warning for each that has no normal form."""

    identifiers: tuple[Identifier, ...]
    warnings: tuple[FieldError, ...]


def parse_identifier(given: str, *, default_region: str, source: str | None = None) -> Identifier:
    """The identifier in normal form; parsing a normal form gives it again.

    `scheme:value`, schemes customer, document, account, email, partner, phone, device, and the messengers that run on
    phone numbers. `default_region` (`company.phone_region`) reads numbers that come without a country; `source` is the
    issuer of accounts and partner references that name none. A leading space of a phone number is a lost plus sign.

    Raises InvalidIdentifier, whose `reason` is unknown-scheme, empty, too-long, bad-characters, not-a-uuid, not-a-phone,
    not-an-email, no-issuer, no-document-type, not-a-document or wrong-check-digit.
    """
    scheme, value = _parse(given, default_region, source)
    return Identifier(scheme, value, given)


def parse_identifiers(
    given: Sequence[str], *, default_region: str, source: str | None = None, pointer: str = "/identifiers"
) -> tuple[Identifier, ...]:
    """All of them in the order given, each normal form once. Raises one InvalidIdentifier that points at every wrong one."""
    found, misread, hopeless = _read_all(given, default_region, source, pointer)
    if wrong := [*misread, *hopeless]:
        raise InvalidIdentifier("An identifier cannot be read", reason=wrong[0].code, errors=wrong)
    return found


def read_identifiers(
    given: Sequence[str], *, default_region: str, source: str | None = None, pointer: str = "/identifiers"
) -> Reading:
    """For touchpoints and lookups: what channels hold on record, typing errors included, loses no contact.

    As `parse_identifiers`, but a value of a known scheme that has no normal form (a digit too many, a wrong check digit,
    two dots in an e-mail) is kept folded as `scheme:~value`, not `readable`, with a warning: it is found again when it is
    asked for in the same spelling, proves nothing by itself, and names a trace only where nothing better does.
    Raises InvalidIdentifier for what says nothing at all: an unknown scheme, nothing after it, control characters, a word in
    the place of a number, an e-mail without its @.
    """
    found, misread, hopeless = _read_all(given, default_region, source, pointer)
    if hopeless:
        raise InvalidIdentifier("An identifier cannot be read", reason=hopeless[0].code, errors=hopeless)
    return Reading(found, tuple(misread))


def _read_all(
    given: Sequence[str], region: str, source: str | None, pointer: str
) -> tuple[tuple[Identifier, ...], list[FieldError], list[FieldError]]:
    """What was found, each once, as written where need be; what has no normal form; what says nothing at all."""
    found: dict[str, Identifier] = {}
    misread: list[FieldError] = []
    hopeless: list[FieldError] = []
    for place, text in enumerate(given):
        try:
            told = _told(text, region, source)
        except InvalidIdentifier as refusal:
            error = FieldError(f"{pointer}/{place}", refusal.reason, refusal.detail)
            if refusal.reason not in _MISREAD or not _looks_like_one(text):
                hopeless.append(error)
                continue
            misread.append(error)
            told = (_as_written(text),)
        for identifier in told:
            found.setdefault(identifier.text, identifier)
    return tuple(found.values()), misread, hopeless


@lru_cache(maxsize=65_536)
def _told(given: str, region: str, source: str | None) -> tuple[Identifier, ...]:
    """What one field tells: an identifier, as a rule."""
    apart = _told_apart(given, region, source)
    return tuple([parse_identifier(each, default_region=region, source=source) for each in apart])


def _told_apart(given: str, region: str, source: str | None) -> list[str]:
    """Two phone numbers or e-mails that somebody wrote into one field, each by itself; anything else as it is."""
    word, _, raw = given.partition(":")
    several = _scheme(word) in ("phone", "email")
    parts = [f"{word}:{part}" for part in _SEVERAL.split(raw) if part] if several else []
    if len(parts) < 2 or _reads([given], region, source) or not _reads(parts, region, source):
        return [given]
    return parts


def _reads(given: Sequence[str], region: str, source: str | None) -> bool:
    try:
        return all(_parse(each, region, source) for each in given)
    except InvalidIdentifier:
        return False


def _looks_like_one(given: str) -> bool:
    """Whether it may be a misspelt one: a word in the place of a number is a channel's mistake, and it should hear of it."""
    word, _, raw = given.partition(":")
    scheme, digits = _scheme(word), sum(character.isdigit() for character in raw)
    if scheme == "email":
        return "@" in raw.strip("@ ")
    if scheme in _ON_PHONES or scheme == "phone":
        told = digits >= FEWEST_PHONE_DIGITS or _WITH_EXPONENT.fullmatch(raw) is not None
        return told or _folded(raw).strip() in _WITHHELD
    return digits > 0


def _as_written(given: str) -> Identifier:
    word, _, raw = given.partition(":")
    scheme, value = _scheme(word), _cleaned(raw)
    written = value.strip() if scheme == "email" else re.sub(r"[\s.\-_/,()]+", "", value)
    scheme = "phone" if scheme in _ON_PHONES else scheme
    return Identifier(scheme, _UNREAD + _folded(written.removeprefix(_UNREAD)), given)


def identifier_id(text: str, secret: bytes) -> UUID:
    """The id of a normalised `scheme:value`: a keyed hash, the same in every service of a deployment."""
    return _keyed("identifier", text, secret=secret)


def trace_of(
    identifiers: Sequence[Identifier],
    *,
    name: str | None = None,
    source: str,
    external_id: str,
    secret: bytes,
    shared_account_issuers: Collection[str] = (),
) -> Trace:
    """The one trace of a touchpoint with these identifiers, from its own content alone (design, section 4).

    The strongest identifier by RANK, the first of equals, readable ones before others; where people share it (phone, device, accounts of
    `company.identifiers.shared_account_issuers`) together with the folded name, if one was given; without any identifier,
    source and external id. Leave blocked identifiers out.
    """
    if not identifiers:
        return Trace(_keyed("anonymous", source, external_id, secret=secret), None, None)
    strongest = min(identifiers, key=lambda identifier: (not identifier.readable, RANK[identifier.scheme]))
    trace_id = _trace_under(strongest, name, secret, shared_account_issuers)
    return Trace(trace_id, strongest.scheme, strongest.text)


def traces_alone(
    identifiers: Collection[Identifier],
    *,
    name: str | None = None,
    secret: bytes,
    shared_account_issuers: Collection[str] = (),
) -> set[UUID]:
    """The traces that a touchpoint with this name would have been on with each of the identifiers by itself."""
    return {_trace_under(each, name, secret, shared_account_issuers) for each in identifiers}


def _trace_under(identifier: Identifier, name: str | None, secret: bytes, issuers: Collection[str]) -> UUID:
    folded = fold(name) if name and is_shared(identifier, issuers) else ""
    return _keyed("trace", identifier.text, folded, secret=secret)


def customer_trace(customer_id: UUID, secret: bytes) -> UUID:
    """The trace of `customer:<id>`, under which all that is written to a customer himself is kept."""
    return _keyed("trace", f"customer:{customer_id}", "", secret=secret)


def is_shared(identifier: Identifier, shared_account_issuers: Collection[str] = ()) -> bool:
    """Whether several people use such an identifier as a rule, so that it proves contact but not identity."""
    if not identifier.readable:
        return True
    if identifier.scheme == "account":
        return identifier.value.partition(":")[0] in shared_account_issuers
    return identifier.scheme in SHARED


def blocked(identifier: Identifier, company: Company) -> bool:
    """Whether it is nobody's: 000000, noreply@, anonymous. Keep the touchpoint, drop this from trace and evidence, warn."""
    return company.identifiers.blocks(identifier.text)


def _keyed(*parts: str, secret: bytes) -> UUID:
    # Lengths in front keep ("a", "bc") and ("ab", "c") apart; the first part keeps identifiers and traces apart.
    message = "".join([f"{len(part)}:{part}" for part in parts]).encode()
    digest = bytearray(hmac.digest(secret, message, "sha256")[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # RFC 9562, version 8: made by a rule of our own
    digest[8] = digest[8] & 0x3F | 0x80
    return id_of(bytes(digest))


def _parse(given: str, region: str, source: str | None) -> tuple[str, str]:
    if len(given) > LONGEST:
        raise InvalidIdentifier(f"An identifier has at most {LONGEST} characters", reason="too-long")
    word, _, raw = given.partition(":")
    scheme = _scheme(word)
    if scheme not in RANK and scheme not in _ON_PHONES:
        known = ", ".join((*RANK, *sorted(_ON_PHONES)))
        raise InvalidIdentifier(
            f"An identifier is scheme:value, with one of the schemes {known}", reason="unknown-scheme"
        )
    value = _cleaned(raw)
    if len(value) > LONGEST:
        raise InvalidIdentifier(f"An identifier has at most {LONGEST} characters", reason="too-long")
    if not value.strip():
        raise InvalidIdentifier(f"The value of this {scheme} is empty", reason="empty")
    if any(unicodedata.category(character) in _UNREADABLE for character in value.strip()):
        raise InvalidIdentifier("An identifier has no control characters", reason="bad-characters")
    if scheme in _ON_PHONES:
        return "phone", _messenger_number(_in_full(value), region)
    if scheme == "phone":
        value = _in_full(value)
    if scheme in ("account", "partner"):
        return scheme, _issued(value, source)
    return scheme, _NORMAL_FORMS[scheme](value, region)


def scheme_of(given: str) -> str:
    """By which scheme an identifier is read, known or not."""
    return _scheme(given.partition(":")[0])


def _scheme(word: str) -> str:
    scheme = word.strip().casefold()
    return _ALIASES.get(scheme, scheme)


def _cleaned(raw: str) -> str:
    """One form for each character; marks of direction and zero-width spaces, which copying brings along, are gone."""
    normal = unicodedata.normalize("NFKC", raw)
    if normal.isascii():
        return normal
    return "".join(character for character in normal if unicodedata.category(character) != "Cf")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text.casefold())


_UNREADABLE = frozenset({"Cc", "Cs", "Co", "Cn"})
_WITH_EXPONENT = re.compile(r"\s*([1-9])[.,]([0-9]+)[eE](\+?)([0-9]{1,2})\s*")


def _in_full(number: str) -> str:
    """3001234567 of 3.001234567E9: where numbers are numerals to a spreadsheet or a program, it writes long ones so.

    As it stands where digits were lost: 3.00123E+09 is how Excel shows any number that begins so, while programs write
    3.00123E9 of that one alone.
    """
    found = _WITH_EXPONENT.fullmatch(number)
    if found is None:
        return number
    first, decimals, plus, power = found.groups()
    length = int(power)
    if decimals[length:].strip("0") or (plus and len(decimals) < length):
        return number
    return first + decimals[:length].ljust(length, "0")


def _customer(value: str, _region: str) -> str:
    try:
        return str(UUID(value.strip()))
    except ValueError:
        raise InvalidIdentifier("A customer is named by his UUID", reason="not-a-uuid") from None


def _email(value: str, _region: str) -> str:
    for written in dict.fromkeys((value.strip(), _bare_email(value))):
        try:
            checked = validate_email(written, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            continue
        return _folded(checked.normalized)
    raise InvalidIdentifier("This is no e-mail address", reason="not-an-email")


_BRACKETED = re.compile(r"<([^<>]+)>\W*$")  # Ana López <ana@example.com>
_ABOUT_EMAIL = " \t'\"<>()[]«»“”‘’"


def _bare_email(value: str) -> str:
    """The address of what programs and people write around it: a name, quotes, mailto:, a full stop, spaces at the @."""
    bracketed = _BRACKETED.search(value)
    told = (bracketed.group(1) if bracketed else value).strip(_ABOUT_EMAIL).rstrip(f".,;:{_ABOUT_EMAIL}")
    return re.sub(r"\s*@\s*", "@", re.sub(r"(?i)^mailto:\s*", "", told))


def _device(value: str, _region: str) -> str:
    return " ".join(value.split())


def _issued(value: str, source: str | None) -> str:
    """`issuer:number`. The issuer's case does not matter; the number is the issuer's own, so it is left alone."""
    issuer, colon, number = value.partition(":")
    if not colon:
        issuer, number = source or "", value
    issuer, number = _folded(" ".join(issuer.split())), " ".join(number.split())
    if not issuer:
        raise InvalidIdentifier("It needs an issuer: scheme:issuer:number", reason="no-issuer")
    if not number:
        raise InvalidIdentifier("The number after the issuer is empty", reason="empty")
    return f"{issuer.replace(':', '-')}:{number}"


# --- phones -----------------------------------------------------------------------------------------------------------

# Forms that were dialled once and are in every address book still; the library calls them invalid. Over the digits, by
# country: within the country, then after the country code.
_OLD_NATIONAL = {
    "CO": (
        (re.compile(r"0[0-9]?([124-8])([0-9]{7})"), r"60\1\2"),  # 03 1 3456789, 09 1 3456789: trunk call until 2021
        (re.compile(r"([124-8])([0-9]{7})"), r"60\1\2"),  # 1 3456789
        (re.compile(r"03(3[0-9]{9})"), r"\1"),  # from a landline to a mobile until 2021
        (re.compile(r"0(60[124-8][0-9]{7}|3[0-9]{9})"), r"\1"),
    ),
    "MX": (
        (re.compile(r"04[45]([0-9]{10})"), r"\1"),  # to a mobile until 2019
        (re.compile(r"01([0-9]{10})"), r"\1"),  # trunk call until 2019
        (re.compile(r"1([0-9]{10})"), r"\1"),
    ),
    "CL": (
        (re.compile(r"0([2-9][0-9]{8})"), r"\1"),  # trunk call until 2016
        (re.compile(r"0?2([2-9][0-9]{6})"), r"22\1"),  # Santiago had seven digits until 2014
        (re.compile(r"0?([89][0-9]{7})"), r"9\1"),  # mobiles had eight digits until 2013
        (re.compile(r"0?(3[2-5]|4[1-5])([2-9][0-9]{5})"), r"\g<1>2\2"),  # other towns had six until 2014
        (re.compile(r"0(5[1-8]|6[1-7]|7[1-5])([2-9][0-9]{5})"), r"\g<1>2\2"),  # without the 0 it may be a mobile
    ),
    "PE": (
        (re.compile(r"0?1?(9[0-9]{7})"), r"9\1"),  # mobiles of Lima had eight digits until 2008
        (re.compile(r"0?1(9[0-9]{8})"), r"\1"),  # the code of Lima in front of a mobile
    ),
    "EC": ((re.compile(r"0?([89][0-9]{7})"), r"9\1"),),  # mobiles had eight digits until 2012
    "BR": ((re.compile(r"0?([1-9][0-9])([6-9][0-9]{7})"), r"\g<1>9\2"),),  # mobiles had eight digits until 2016
}
_CODES = {"CO": "57", "MX": "52", "CL": "56", "PE": "51", "EC": "593", "BR": "55"}
_MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_ZEROS = re.compile(r"^\s*00(?=[1-9])")
_FLOAT = re.compile(r"(?<=[0-9]{7})\.0+\s*$")  # a spreadsheet took the number for a quantity
_EXTENSION = re.compile(
    r"(?i)[\s,;]*(?:(?<![^\W\d_])(?:ext(?:ensi[oó]n)?|int(?:erno)?|anexo|ramal|x)(?![^\W\d_])|#)[\s.:#]*([0-9]{1,6})\s*$"
)
_REMARK = re.compile(r"^[^0-9+(]+|[^0-9]+$")  # whose number it is: 310 123 4567 (casa)
_SEVERAL = re.compile(r"\s*[/;,|]\s*|\s+[yoYO-]\s+")  # 310 123 4567 / 320 987 6543
_JID = re.compile(r"@[a-z.]+$")


@lru_cache(maxsize=65_536)
def _phone(value: str, region: str) -> str:
    if value[0].isspace():
        return _international_first(value.strip(), region)
    if (plain := _plain_mobile(value, region)) is not None:
        return plain
    for written in dict.fromkeys((value, _REMARK.sub("", _EXTENSION.sub("", value)))):
        number = _read(written, region)
        if number is None and not written.startswith("+"):
            number = _read("+" + _digits(_FLOAT.sub("", written)), region)  # 34600123456, the plus left out
        if number is not None:
            return _e164(number)
    return _e164(None)


@lru_cache(maxsize=65_536)
def _messenger_number(value: str, region: str) -> str:
    """Messengers give the country code without a plus; people who fill in columns do not always."""
    return _international_first(_JID.sub("", value.strip()), region)


def _international_first(value: str, region: str) -> str:
    if (plain := _plain_mobile(value if value.startswith("+") else "+" + value, region)) is not None:
        return plain
    abroad = _read(value if value.startswith("+") else "+" + _digits(value), region)
    if abroad is not None and _is_mobile(abroad):
        return _e164(abroad)
    at_home = _read(value, region)
    # 3212345678 may be a landline in Belgium, but a mobile in Colombia is what somebody wrote down.
    return _e164(at_home if at_home is not None and (abroad is None or _is_mobile(at_home)) else abroad)


_ORNAMENT = str.maketrans("", "", " -.()")


def _plain_mobile(value: str, region: str) -> str | None:
    """A mobile number written without peculiarities, by the library's own pattern; reading it in full costs thirty times as much."""
    digits = value.removeprefix("+").translate(_ORNAMENT)
    if not (digits.isascii() and digits.isdecimal()):
        return None
    if value.startswith("+"):
        code = next((digits[:n] for n in (1, 2, 3) if int(digits[:n]) in COUNTRY_CODE_TO_REGION_CODE), "")
        region, digits = COUNTRY_CODE_TO_REGION_CODE.get(int(code or 0), ("",))[0], digits[len(code) :]
    code, pattern, lengths = _mobiles(region)
    return f"+{code}{digits}" if len(digits) in lengths and pattern.fullmatch(digits) else None


@lru_cache(maxsize=512)
def _mobiles(region: str) -> tuple[str, re.Pattern[str], frozenset[int]]:
    """Country code, form and lengths of a region's mobile numbers; nothing matches where there is no such region."""
    known = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if known is None or known.mobile is None or known.mobile.national_number_pattern is None:
        return "", re.compile(r"(?!)"), frozenset()
    return (
        str(known.country_code),
        re.compile(known.mobile.national_number_pattern),
        frozenset(known.mobile.possible_length),
    )


def _read(value: str, region: str) -> phonenumbers.PhoneNumber | None:
    value = _FLOAT.sub("", _ZEROS.sub("+", value))
    for candidate in (value, *_modern(value, region)):
        try:
            number = phonenumbers.parse(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return number
    return None


def _modern(value: str, region: str) -> list[str]:
    """What an old form would be dialled as today."""
    digits = _digits(value)
    found = []
    for country, forms in _OLD_NATIONAL.items():
        code = _CODES[country]
        national = [digits.removeprefix(code)] if digits.startswith(code) else []
        if country == region and not value.startswith("+"):
            national.append(digits)
        found += [f"+{code}{form.sub(new, old)}" for old in national for form, new in forms if form.fullmatch(old)]
    return found


def document_as_told(value: str) -> str:
    """Type and number of a document, for comparison alone: one whose check digit is wrong stands beside those that are right."""
    if not value.startswith(_UNREAD):
        return value
    word, _, number = value.removeprefix(_UNREAD).rpartition(":")
    kind, number = _WRITTEN_TOGETHER.get(word, word), number.upper()
    if kind in _NIF:
        kind = _kind_of_nif(number or " ")
    return f"{kind}:{_zeros_put_right(kind, number)}"


def extension_of(given: str) -> str | None:
    """The extension behind a phone number as it was given, 123 of `601 345 6789 ext. 123`: it is no part of the identifier."""
    found = _EXTENSION.search(given)
    return found.group(1) if found else None


def _digits(value: str) -> str:
    return "".join(str(unicodedata.digit(character)) for character in value if character.isdigit())


def _is_mobile(number: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.number_type(number) in _MOBILE


def _e164(number: phonenumbers.PhoneNumber | None) -> str:
    if number is None:
        raise InvalidIdentifier("This is no phone number that could be dialled", reason="not-a-phone")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


# --- documents --------------------------------------------------------------------------------------------------------

# Types whose numbers carry a check digit or a form of their own: the module of python-stdnum that knows it.
_CHECKED = {
    **{name: name.replace("-", ".") for name in (
        "co-nit", "es-dni", "es-nie", "es-cif", "es-nif", "cl-rut", "br-cpf", "br-cnpj", "ar-cuit", "ar-dni", "mx-rfc",
        "mx-curp", "pe-ruc", "ec-ci", "ec-ruc", "uy-rut", "py-ruc", "ve-rif", "do-cedula", "do-rnc", "cr-cpf", "cr-cpj",
        "gt-nit", "sv-nit", "pt-nif", "us-ssn", "fr-nir", "it-codicefiscale",
    )},
    "co-rut": "co.nit", "cl-run": "cl.rut", "ar-cuil": "ar.cuit", "pe-dni": "pe.cui", "ec-cedula": "ec.ci",
}  # fmt: skip
_SAME_AS = {
    "co-rut": "co-nit",
    "cl-run": "cl-rut",
    "ar-cuil": "ar-cuit",
    "ec-cedula": "ec-ci",
    **dict.fromkeys(("co-pa", "co-pas", "co-pasaporte"), "co-pp"),
    **dict.fromkeys(("co-cedula", "co-cedula-de-ciudadania"), "co-cc"),
    **dict.fromkeys(("co-cedula-de-extranjeria",), "co-ce"),
    **dict.fromkeys(("co-tarjeta-de-identidad",), "co-ti"),
    **dict.fromkeys(("co-registro-civil", "co-registro-civil-de-nacimiento"), "co-rc"),
    **dict.fromkeys(("co-permiso-por-proteccion-temporal", "co-pt"), "co-ppt"),
    **dict.fromkeys(("co-permiso-especial-de-permanencia", "co-pe"), "co-pep"),
    **dict.fromkeys(("ec-cedula-de-ciudadania", "ec-cedula-de-identidad"), "ec-ci"),
}
# Numbers of fixed length lose the zeros in front when a spreadsheet holds them; of others zeros in front say nothing.
_DIGITS = {"ec-ci": 10, "ec-ruc": 13, "br-cpf": 11, "br-cnpj": 14, "pe-dni": 8, "es-dni": 9}
_PADDED = frozenset({"co-nit", "cl-rut", "ar-dni"})
# Types without a check digit: what is left when separators are gone.
_SHAPED = {
    "co-cc": re.compile(r"[0-9]{3,10}"),
    "co-ti": re.compile(r"[0-9]{6,11}"),
    "co-rc": re.compile(r"[0-9]{8,11}"),
    "co-ce": re.compile(r"[A-Z]?[0-9]{3,10}"),
    "co-pp": re.compile(r"[A-Z0-9]{5,15}"),
    "co-pep": re.compile(r"[0-9]{6,15}"),
    "co-ppt": re.compile(r"[0-9]{5,10}"),
}
# What has no normal form is kept without its separators, those of its type as well: ecci for ec-ci.
_WRITTEN_TOGETHER = {
    kind.replace("-", ""): _SAME_AS.get(kind, kind) for kind in (*_CHECKED, *_SHAPED, *_SAME_AS, *_DIGITS)
}
_LETTERED = frozenset({"co-pp"})  # a number that may begin with the letters of its type
_NIF = frozenset({"es-nif", "es-dni", "es-nie", "es-cif"})  # one column for all of them in most files
_TYPE = re.compile(r"[a-z]{2}-[a-z0-9]+(-[a-z0-9]+)*")
_INITIAL = re.compile(r"\b([^\W\d_])[.]\s*")  # C.C. is CC
_QUANTITY = re.compile(r"(?<=[0-9])[.]0{1,2}\s*$")  # a spreadsheet took the number for a quantity
_DASHED = re.compile(r"-\s*[0-9]\s*$")  # a check digit is told behind a dash
_MOST_ZEROS_LOST = 2
_SEPARATORS = re.compile(r"[\s.\-_/,:'’·°]+")
_OTHER_NUMBER = re.compile(r"[A-Z0-9]{1,40}")


def _document(value: str, region: str) -> str:
    """`type:number`. The type is country-document (co-cc); one without its country is of the default region."""
    word, colon, number = value.partition(":")
    kind = "-".join(fold(_INITIAL.sub(r"\1", word)).split()) if _UNREAD not in word else ""
    kind = _WRITTEN_TOGETHER.get(kind, kind)
    if kind and not _TYPE.fullmatch(kind):
        kind = f"{region.casefold()}-{kind}"
    if not colon or not _TYPE.fullmatch(kind):
        raise InvalidIdentifier(
            "A document is document:country-type:number, such as document:co-cc:...", reason="no-document-type"
        )
    kind, number = _SAME_AS.get(kind, kind), _QUANTITY.sub("", _in_full(number))
    if not (bare := _SEPARATORS.sub("", number).upper()):
        raise InvalidIdentifier("The number of the document is empty", reason="empty")
    unlabelled = _unlabelled(kind, number)
    told = _SEPARATORS.sub("", unlabelled).upper()
    if told.isdecimal() and kind not in _LETTERED:
        return _numbered(kind, unlabelled, told)
    try:
        return _numbered(kind, number, bare)
    except InvalidIdentifier:
        if told in ("", bare):
            raise
        return _numbered(kind, unlabelled, told)


def _unlabelled(kind: str, number: str) -> str:
    """52.123.456 of `C.C. No. 52.123.456`, which somebody wrote into the column of numbers."""
    if number.lstrip()[:1].isdecimal():
        return number
    code = r"[.]?".join(kind.partition("-")[2].replace("-", ""))
    label = rf"(?i)\W*(?:{code}\b|{code}(?=[^a-z]))?[\s.:]*(?:(?:n[uú]mero|n[uú]m|nro|no|n°)[\s.:]*)?(?=\w)"
    return re.sub(label, "", number, count=1) or number


def _numbered(kind: str, number: str, bare: str) -> str:
    """The normal form of a number as it was written and without its separators."""
    if kind in _NIF:
        bare = bare.removeprefix("ES")  # as the tax on sales writes it
        kind = _kind_of_nif(bare or " ")
    checked = _CHECKED.get(kind)
    if checked is not None:
        return f"{kind}:{_with_check_digit(kind, checked, number, bare)}"
    if not _SHAPED.get(kind, _OTHER_NUMBER).fullmatch(bare) or not bare.isascii():
        raise InvalidIdentifier(f"No document of type {kind} has such a number", reason="not-a-document")
    if kind == "co-cc":
        bare = _without_check_digit(number, bare)
    # A cédula never begins with zero: spreadsheets and fixed columns put them there. In a TI they are the year of birth.
    return f"{kind}:{bare.lstrip('0').rjust(3, '0') if kind in ('co-cc', 'co-ce') else bare}"


def _with_check_digit(kind: str, module: str, number: str, bare: str) -> str:
    standard = _standard(module)
    bare = _zeros_put_right(kind, bare)
    if kind == "co-nit" and len(bare) == 9 and bare.isdecimal() and bare[0] in "89" and not _DASHED.search(number):
        bare += str(standard.calc_check_digit(bare))  # a company's NIT, written without its check digit as most do
    try:
        valid = str(standard.validate(bare)).upper()
        return valid[:8] if kind == "pe-dni" else valid  # it is one DNI with its check digit and without
    except WrongNumber as error:
        if type(error).__name__ == "InvalidChecksum":
            raise InvalidIdentifier(f"The check digit of this {kind} is wrong", reason="wrong-check-digit") from None
        raise InvalidIdentifier(f"No document of type {kind} has such a number", reason="not-a-document") from None


def _kind_of_nif(bare: str) -> str:
    """A NIF is a person's DNI or NIE, or an organisation's CIF: its first character says which, whatever the column is called."""
    if bare[0].isdecimal():
        return "es-dni"
    return "es-nie" if bare[0] in "XYZ" else "es-nif" if bare[0] in "KLM" else "es-cif"


def _zeros_put_right(kind: str, bare: str) -> str:
    if kind == "ar-dni":
        bare = bare.removeprefix("M").removeprefix("F")  # of men and of women, in the booklets before the card
    if kind in _PADDED:
        return bare.lstrip("0") or bare
    if kind == "es-dni" and bare.isdecimal() and len(bare) < _DIGITS[kind]:
        bare += str(_standard("es.dni").calc_check_digit(bare.zfill(_DIGITS[kind] - 1)))  # told without its letter
    if kind == "es-nie" and len(bare) == _DIGITS["es-dni"] + 1:
        return bare[0] + bare[2:] if bare[1] == "0" else bare  # X0 and seven digits: the form of old cards
    missing = _DIGITS.get(kind, 0) - len(bare)
    return bare.zfill(_DIGITS[kind]) if 0 < missing <= _MOST_ZEROS_LOST else bare


def _without_check_digit(number: str, bare: str) -> str:
    """A cédula that carries, behind a dash, the check digit of the NIT of the same person: 52.123.456-1."""
    if not _DASHED.search(number) or not bare.isdecimal() or len(bare) < FEWEST_PHONE_DIGITS:
        return bare
    if _standard("co.nit").calc_check_digit(bare[:-1]) != bare[-1]:  # with it the number would be somebody else's
        raise InvalidIdentifier("The check digit of this co-cc is wrong", reason="wrong-check-digit")
    return bare[:-1]


@lru_cache(maxsize=64)
def _standard(module: str) -> Any:
    return import_module(f"stdnum.{module}")


_NORMAL_FORMS: dict[str, Callable[[str, str], str]] = {
    "customer": _customer,
    "document": lru_cache(maxsize=65_536)(_document),
    "email": _email,
    "phone": _phone,
    "device": _device,
}
