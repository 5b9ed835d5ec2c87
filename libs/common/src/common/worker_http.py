"""A worker's own small door: health and figures of the relay, the consumer and the timers, for whoever runs it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from common.backlog import Backlog
from common.bus.kafka import KafkaReader
from common.health import backlog_checks, consumer_goes_on
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
    backlog: Backlog = app.state.backlog
    for part in worker.parts:
        if isinstance(part, KafkaReader):
            part.report_to(app.state.metrics)
            backlog.consumers.append(part)
    for check_name, check in backlog_checks(backlog, settings, strict=True).items():
        app.state.readings.add(check_name, check)
    app.state.readings.add("consumer", consumer_goes_on(lambda: worker.parts, needed=True))
    return app


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
