from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.host.malformed import refuse_malformed, refuse_nameless_file, require_session_name


class Body(BaseModel):
    session_hash: str


def test_a_session_without_a_name_is_refused_like_a_wrong_one():
    app = FastAPI(
        exception_handlers={RequestValidationError: refuse_malformed},
        dependencies=[Depends(require_session_name)],
    )

    @app.post("/call")
    def call(body: Body) -> str:
        return body.session_hash

    @app.post("/upload")
    async def upload(request: Request) -> int:
        return len(await request.body())

    client = TestClient(app, raise_server_exceptions=False)
    assert client.post("/call", json={"session_hash": "a"}).json() == "a"
    answer = client.post("/call", json={"session_hash": ""})
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "session_hash"]
    for content in (b"", b"[1", b"[" * 100_000, b"\xff"):  # what is no JSON is the matter of who takes it
        answer = client.post("/upload", content=content, headers={"Content-Type": "application/json"})
        assert answer.json() == len(content)


def test_only_an_upload_may_lack_a_file():
    app = FastAPI(exception_handlers={TypeError: refuse_nameless_file})

    @app.post("/{place}")
    def fail(place: str) -> None:
        raise TypeError(place)

    client = TestClient(app, raise_server_exceptions=False)
    assert client.post("/upload").status_code == 400 and client.post("/call").status_code == 500


def test_a_number_that_is_not_finite_is_refused_like_any_other():
    app = FastAPI(exception_handlers={RequestValidationError: refuse_malformed})

    @app.post("/call")
    def call(body: Body) -> str:
        return body.session_hash

    client = TestClient(app, raise_server_exceptions=False)
    for body in ('{"session_hash": [Infinity]}', '{"session_hash": [1]}', "{}", "[1", "null"):
        answer = client.post("/call", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422 and answer.json()["detail"][0]["msg"], body
    assert client.post("/call", json={"session_hash": "a"}).json() == "a"
