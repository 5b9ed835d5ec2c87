"""How the company keeps its books, as its file says."""

from common.company import Company
from scoring.values.domain import Books


def books_of(company: Company) -> Books:
    """Currency, rates, midnight and fiscal year, in the form that the rules take."""
    month, day = map(int, company.fiscal_year_start.split("-"))
    return Books(
        currency=company.currency,
        rate=company.in_base_currency,
        day_of=company.local_date,
        start_of=company.start_of_day,
        fiscal_year_starts=(month, day),
    )
