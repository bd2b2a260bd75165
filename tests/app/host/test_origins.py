import pytest
from starlette.datastructures import Headers

from app.host.origins import is_foreign

HERE = "127.0.0.1:7860"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://other.example", "sec-fetch-site": "cross-site"},
        {"origin": "https://other.example"},
        {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:7860.other.example"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_pages_of_other_sites_may_only_read(headers):
    headers = Headers({"host": HERE, **headers})
    assert is_foreign("POST", headers)
    assert not is_foreign("GET", headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": f"http://{HERE}"},
        {"origin": "https://photos.example", "sec-fetch-site": "same-origin"},  # nginx's default Host
        {"origin": "https://photos.example", "x-forwarded-host": "photos.example"},
    ],
)
def test_the_own_page_and_programs_may_do_everything(headers):
    assert not is_foreign("POST", Headers({"host": HERE, **headers}))
