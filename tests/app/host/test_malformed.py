from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from pydantic import BaseModel

from app.host.malformed import refuse_malformed


class Body(BaseModel):
    session_hash: str


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
