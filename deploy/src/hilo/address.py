"""Addresses in bulk: a line in, its key, readable form and confidence out."""

from collections.abc import Iterable, Iterator

from common.addresses import address_key


def normalised(lines: Iterable[str], country: str) -> Iterator[str]:
    """For each line `raw TAB key TAB readable TAB confidence`, in the order given; a tab in the raw text becomes a space."""
    for line in lines:
        raw = line.rstrip("\r\n")
        address = address_key(raw, country)
        yield "\t".join((raw.replace("\t", " "), address.key, address.readable, f"{address.confidence:.2f}"))
