"""The page in a browser: files in, answers and heat maps out, by keyboard, without any request to elsewhere."""

import base64
import re

import pytest
from serving.service_files import serve, write_scans

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    return write_scans(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="module")
def address(located):
    with serve(located) as (_, address):
        yield address


@pytest.fixture
def page(chromium, address):
    """The page, opened; anything it logs as an error or asks of another server fails the test."""
    page = chromium.new_page(viewport={"width": 1280, "height": 860})
    faults = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else faults.append(asked.url))
    page.goto(address)
    yield page
    page.close()
    assert faults == []


def choose(page, files):
    page.set_input_files("#files", files)
    page.wait_for_selector("#list button")
    page.wait_for_function(
        "document.getElementById('image').width > 300 || document.getElementById('image').height > 1"
    )


def pixels(page):
    return page.evaluate("document.getElementById('image').toDataURL()")


def until_changed(page, before):
    page.wait_for_function("before => document.getElementById('image').toDataURL() !== before", arg=before)
    return pixels(page)


def test_image_series_and_volume_by_keyboard(page, scans):
    """A PNG, a DICOM series and a NIfTI volume; everything is reached by Tab and moved by arrow keys."""
    choose(page, [scans[0], *scans[4:]])
    names = page.locator("#list .file").all_inner_texts()
    assert sorted(page.locator("#list .what").all_inner_texts())[-1].endswith("slices")
    assert len(names) == 3
    assert "t1.nii.gz" in names

    page.locator("#list button", has_text="t1.nii.gz").press("Enter")
    page.wait_for_function("document.getElementById('name').textContent.startsWith('t1.nii.gz#')")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"files", "folder", "image", "slice", "opacity", "window", "level", "box", "reset", "print"} <= reached

    page.focus("#image")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    name = page.inner_text("#name")
    page.wait_for_function("name => document.getElementById('image').ariaLabel.startsWith(name)", arg=name)
    assert page.inner_text("#slice-number").startswith("2 of ")
    second = pixels(page)
    page.focus("#slice")
    page.keyboard.press("ArrowRight")
    until_changed(page, second)  # the volume is a ball: its slices differ
    assert page.inner_text("#slice-number").startswith("3 of ")
    assert page.inner_text("#name") != name


@pytest.mark.parametrize(("control", "key"), [("opacity", "End"), ("window", "Home"), ("level", "Home")])
def test_sliders_change_what_is_drawn(page, scans, control, key):
    choose(page, scans[:1])
    before = pixels(page)
    page.focus(f"#{control}")
    page.keyboard.press(key)
    changed = until_changed(page, before)
    if control != "opacity":
        page.focus("#reset")
        page.keyboard.press("Enter")
        assert until_changed(page, changed) == before


def test_the_answer_is_that_of_the_interface(page, scans, address):
    found = page.request.post(
        f"{address}/v1/predict",
        multipart={"files": {"name": "a.png", "mimeType": "image/png", "buffer": scans[0].read_bytes()}},
    ).json()["images"][0]
    choose(page, scans[:1])

    text = page.inner_text("#answer")
    assert {"tumour": "Tumour", "no tumour": "No tumour"}[found["decision"]] in text or found["abstain"]
    assert ("Abstains" in text) == found["abstain"]
    assert f"In validation, {found['observed']['right']} of {found['observed']['images']} answers" in text
    assert page.locator(".bars dt").count() == 4
    assert "not a medical device" in page.inner_text("header")


def test_what_is_left_out_is_listed_and_errors_are_told(page, scans, tmp_path):
    bad = tmp_path / "<b>bad.png"
    bad.write_bytes(b"no image")
    choose(page, [scans[0], bad])
    assert page.inner_text("#left-out summary") == "Left out: 1 file"
    assert "<b>bad.png" in page.text_content("#left-out li")


def test_a_file_that_is_no_image_is_told(chromium, address, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    page = chromium.new_page()
    page.goto(address)
    page.set_input_files("#files", tmp_path / "bad.png")
    page.wait_for_selector("#status.error")
    assert page.inner_text("#status").startswith("None of the files can be predicted, first: bad.png holds no image")
    page.close()


def test_dropped_files_are_sent(page, scans):
    transfer = page.evaluate_handle(
        """content => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            transfer.items.add(new File([bytes], "dropped.png"));
            return transfer;
        }""",
        base64.b64encode(scans[1].read_bytes()).decode(),
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    page.wait_for_selector("#list button")
    assert page.locator("#list .file").all_inner_texts() == ["dropped.png"]


def test_the_model_card_opens_and_closes(page):
    page.focus("#show-card")
    page.keyboard.press("Enter")
    page.wait_for_selector("#card[open]")
    assert "Research use only" in page.inner_text("#card-text")
    assert page.locator("#card-text table").count() >= 1
    page.keyboard.press("Escape")
    page.wait_for_selector("#card:not([open])", state="attached")


def test_a_key_is_asked_for_and_used(chromium, located, scans, tmp_path):
    (tmp_path / "key").write_text("0123456789abcdef0123")
    with serve(located, f"key_file={tmp_path / 'key'}") as (_, address):
        page = chromium.new_page()
        page.goto(address)
        page.wait_for_selector("#key[open]")
        page.fill("#key-text", "0123456789abcdef0123")
        page.keyboard.press("Enter")
        choose(page, scans[:1])
        assert page.locator("#list button").count() == 1
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_serious_fault_for_people_with_disabilities(chromium, serious_faults, address, scans, width, scheme):
    """axe-core's rules, before and after an answer; and the page is never wider than the screen."""
    page = chromium.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme, bypass_csp=True)
    page.goto(address)
    for stage in ("empty", "answered"):
        if stage == "answered":
            choose(page, scans)
        assert serious_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_it_prints_on_one_page(page, scans):
    choose(page, scans[:1])
    assert re.findall(rb"/Count (\d+)", page.pdf(format="A4")) == [b"1"]
