"""E-mail addresses: one mailbox behind several spellings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.emails import mailbox
from common.identifiers import parse_identifier


@pytest.mark.parametrize(
    ("email", "received_by"),
    [
        ("ana+tienda@correo.co", "ana@correo.co"),
        ("a.n.a+x@gmail.com", "ana@gmail.com"),
        ("ana@googlemail.com", "ana@gmail.com"),
        ("a.na@correo.co", "a.na@correo.co"),
        ("+tag@correo.co", "+tag@correo.co"),
        ("ana", "ana"),
    ],
)
def test_one_mailbox_has_one_form(email, received_by):
    assert mailbox(email) == received_by


def test_a_tag_makes_another_identifier():
    one, other = (parse_identifier(f"email:{each}", default_region="CO") for each in ("ana@a.co", "ana+x@a.co"))
    assert one.text != other.text


def test_a_domain_has_one_form_in_both_alphabets():
    one, other = (
        parse_identifier(f"email:{each}", default_region="CO") for each in ("ana@ñandú.co", "Ana@XN--and-6ma2c.co")
    )
    assert one.text == other.text == "email:ana@ñandú.co"


@given(st.emails() | st.text(max_size=30))
def test_a_mailbox_is_its_own_mailbox(email):
    assert mailbox(mailbox(email)) == mailbox(email)
