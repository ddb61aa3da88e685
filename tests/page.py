"""Pages as a strict reader of HTML finds them."""

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """What a strict reader finds: tags that open and close, attributes, text, rows of tables."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.rows, self.text, self.style = [], [], [], "", ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            data = re.sub(r"[ \n]+", " ", data)  # as a browser shows it
            self.text += data
            if {"th", "td"} & {*self.open}:
                self.rows[-1][-1] += data

    def all(self, tag, **wanted):
        return [a for t, a in self.tags if t == tag and wanted.items() <= a.items()]


def read(html):
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    page.html = html
    return page
