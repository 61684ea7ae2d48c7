"""What a person does on the page, and the screens it is done on."""

from playwright.sync_api import expect

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def upload(page, path):
    page.locator("#pl-clip input[type=file]").set_input_files(str(path))
    expect(page.locator("#pl-clip").get_by_role("button", name="Play", exact=True)).to_be_visible()


def switch_to(page, name):
    """Open a tab, through the menu of further tabs when the screen is too narrow to show it."""
    tab = page.locator("#pl-tabs").get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.locator("#pl-tabs").get_by_role("button", name="More tabs").click()
        page.locator("#pl-tabs .overflow-dropdown").get_by_text(name, exact=True).click()
        return
    tab.click()
