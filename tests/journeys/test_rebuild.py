"""What scoring counted went wrong: it is built anew by the command that ops give, while the shop goes on selling."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg

from .people import Person
from .systems import Caller, Embedded, System, until
from .test_survival import PRICE, Till

DAMAGE = ("UPDATE day_value SET revenue = 7", "DELETE FROM trace_link")


def test_sums_that_went_wrong_are_right_again_while_customers_buy(stack: System, caller: Caller) -> None:
    ana = Person.new(caller)
    till = Till(ana)
    till.start()
    try:
        till.sells(10)
        who = until(ana.customer_id)
        until(lambda: _revenue(caller, who) >= 10 * PRICE)
        _damage(stack)
        till.sells(5)
        _rebuild(stack)
        till.sells(5)
    finally:
        till.close()
    assert till.refused == []
    sold = len(till.sent) * PRICE
    until(lambda: _revenue(caller, who) == sold)


def _revenue(caller: Caller, who: str | None) -> Decimal:
    return Decimal(caller.get(f"/scoring/v1/customers/{who}/value")["revenue"]["amount"])


def _damage(stack: System) -> None:
    if isinstance(stack, Embedded):
        with sqlite3.connect(stack.var / "scoring.db", timeout=30) as file:
            for statement in DAMAGE:
                file.execute(statement)
        file.close()
    else:
        asyncio.run(_damage_server(stack))


async def _damage_server(stack: Any) -> None:
    connection = await asyncpg.connect(stack.stack.postgres.url("scoring", driver="postgresql"))
    try:
        for statement in DAMAGE:
            await connection.execute(statement)
    finally:
        await connection.close()


def _rebuild(stack: Any) -> None:
    if isinstance(stack, Embedded):
        command = [str(Path(sys.executable).with_name("hilo")), "rebuild", "scoring", "--var", str(stack.var)]
        environment = dict(os.environ)
    else:
        service = next(each for each in stack.stack.services if each.name == "scoring")
        command, environment = service.command("rebuild"), stack.stack.environment(service)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "rebuilt from" in done.stdout
