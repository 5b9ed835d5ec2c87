"""A worker's own small door: health and figures of the relay, the consumer and the timers, for whoever runs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from common.bus.kafka import KafkaReader
from common.health import Check, NotReady, database_answers, outbox_moves
from common.http import ServiceApp, create_service
from common.settings import Settings
from common.worker import Worker


def worker_app(name: str, settings: Settings, worker: Worker, state: dict[str, Any]) -> ServiceApp:
    """`/{name}/healthz`, `/readyz` and `/metrics` of a worker; nothing else."""
    app = create_service(
        name=name,
        title=f"Hilo {name} worker",
        description="Health and figures of the worker.",
        settings=settings.model_copy(update={"docs": False}),
        routers=[],
        state=state,
    )
    app.state.readings.add("database", database_answers(lambda: state["database"]))
    app.state.readings.add("outbox", outbox_moves(lambda: state["database"], state["clock"]))
    app.state.readings.add("consumer", consumer_goes_on(worker))
    for part in worker.parts:
        if isinstance(part, KafkaReader):
            part.report_to(app.state.metrics)
    return app


def consumer_goes_on(worker: Worker) -> Check:
    """Not ready once a consumer has stopped itself; it says why."""

    async def check() -> str:
        if worker.stopped:
            raise NotReady("; ".join(worker.stopped))
        return "ok"

    return check


class Door(uvicorn.Server):
    """Serves beside the worker in its loop, and leaves the signals to it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def run_beside(self, stop: asyncio.Event) -> None:
        serving = asyncio.create_task(self.serve())
        await stop.wait()
        self.should_exit = True
        await serving


def door_of(app: ServiceApp, *, host: str, port: int) -> Door:
    return Door(uvicorn.Config(app, host=host, port=port, lifespan="on", access_log=False, log_config=None))
