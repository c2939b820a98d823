"""What people see: mails on a telephone, in light and dark, and the pages for developers.

A real browser draws them, Debian's chromium. Its pictures are kept in the folder that `pytest
--basetemp` names, to be looked at; they are never compared by pixel.
"""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from torg import i18n, mail, manifest
from torg.testing_processes import eventually

PHONE = {"width": 360, "height": 740}
NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "these tests need a browser: install Debian's package chromium"

# The least contrast of any text against what is behind it (WCAG 2.2, 1.4.3), and who has it.
LOOK = """() => {
  const channel = value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parts = color => (color.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255)
    + 0.0722 * channel(b / 255);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const color = parts(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] > 0.99) return color;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches
      && getComputedStyle(document.documentElement).colorScheme.includes('dark')
      ? [18, 18, 18] : [255, 255, 255];
  };
  const found = {contrast: 99, text: '', letters: 0};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    const style = getComputedStyle(element);
    const words = node.textContent.trim();
    if (!words || !element.offsetParent || style.visibility === 'hidden') continue;
    if (['STYLE', 'SCRIPT', 'TITLE'].includes(element.tagName)) continue;
    if (parseFloat(style.fontSize) < 4 || element.offsetHeight < 4) continue;
    const [a, b] = [light(parts(style.color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.6 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const share = contrast / needed;
    if (share < found.contrast) { found.contrast = share; found.text = words.slice(0, 60); }
    found.letters += words.length;
  }
  found.overflow = document.documentElement.scrollWidth - window.innerWidth;
  return found;
}"""


def program() -> str:
    """Where the browser is; it is installed where that is possible."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
            subprocess.run(["apt-get", *command], check=False, capture_output=True, timeout=600)
        found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(MISSING)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        opened = driver.chromium.launch(executable_path=program(), args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures go."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture
def app(make_app: Any) -> Any:
    """Every plugin that is installed, as a developer runs it."""
    return make_app([each.name for each in manifest.discover()], debug=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_every_mail_is_readable_on_a_telephone(
    browser: Browser, app: Any, pictures: Path, locale: str, scheme: Any
) -> None:
    asked: list[str] = []
    context = browser.new_context(viewport=PHONE, color_scheme=scheme, device_scale_factor=2)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    wrong = {}
    with app.app_context():
        for template in mail.templates().values():
            page.set_content(mail.preview(template, locale).html)
            seen = page.evaluate(LOOK)
            name = f"{template.name}.{locale}.{scheme}"
            page.screenshot(path=pictures / f"{name}.png", full_page=True)
            if seen["overflow"] > 0 or seen["contrast"] < 1 or seen["letters"] < 80:
                wrong[name] = seen
    context.close()
    assert wrong == {}
    assert [each for each in asked if not each.startswith(("data:", "about:"))] == []


@pytest.fixture
def address(app: Any) -> Iterator[str]:
    """The application behind a real socket."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _opened(browser: Browser, address: str, picture: Path) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    complaints: list[str] = []
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            complaints.append(request.url)
            if not request.url.startswith((address.rsplit("/", 1)[0], "data:", "blob:"))
            else None
        ),
    )
    page.goto(address, wait_until="networkidle")
    page.screenshot(path=picture)
    return page, complaints


def _scrolled_through(page: Page, selector: str, wanted: int) -> set[str]:
    """Ids of what the page shows on the way down: it draws a long list only where one looks."""
    seen: set[str] = set()
    for _ in range(300):
        seen |= set(page.eval_on_selector_all(selector, "all => all.map(each => each.id)"))
        if len(seen) >= wanted:
            break
        page.evaluate("window.scrollBy(0, 400)")
        page.wait_for_timeout(30)
    return seen


def test_the_documentation_lists_every_operation_and_breaks_no_rule_of_its_own(
    browser: Browser, address: str, app: Any, pictures: Path
) -> None:
    document = app.test_client().get("/openapi.json").get_json()
    operations = sum(
        method in {"get", "post", "put", "patch", "delete"}
        for path in document["paths"].values()
        for method in path
    )
    page, complaints = _opened(browser, f"{address}/docs", pictures / "docs.png")
    page.wait_for_selector(".opblock")
    assert len(_scrolled_through(page, ".opblock", operations)) == operations
    page.close()
    assert complaints == []


@pytest.mark.parametrize("path", ["/redoc", "/", "/dev/mails", "/dev/mail", "/dev/requests"])
def test_other_pages_open_without_a_complaint(
    browser: Browser, address: str, pictures: Path, path: str
) -> None:
    picture = pictures / f"{path.strip('/').replace('/', '-') or 'start'}.png"
    page, complaints = _opened(browser, f"{address}{path}", picture)
    # A long document is drawn by the page's own script, a moment after the network is quiet.
    eventually(lambda: len(page.inner_text("body")) > 100, seconds=60)
    page.close()
    assert complaints == []
