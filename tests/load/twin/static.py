"""What reading is measured against: a FastAPI route that answers 4 KB which are always the same."""

from fastapi import FastAPI, Response

PACKET = b'{"packet":"' + b"x" * 4083 + b'"}'

app = FastAPI()


@app.get("/static")
async def static() -> Response:
    return Response(PACKET, media_type="application/json")
