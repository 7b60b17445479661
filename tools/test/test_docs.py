# SPDX-License-Identifier: Apache-2.0
"""How links between files of the checkout become links between pages of the site."""

from __future__ import annotations

from gremsy_docs.site_pages import Links


def test_a_link_between_files_of_the_checkout_becomes_one_between_pages():
    warned = []
    links = Links({'src/gremsy_web/README.md': 'packages/gremsy_web.md', 'README.md': 'index.md'}, warned.append)
    code = '\n```\n[code](../src/gremsy_web/README.md)\n```\n'
    text = 'See [who](../src/gremsy_web/README.md#who-may), [`c`](../constraints.txt), ![demo](images/demo.webp).'
    seen = 'See [who](packages/gremsy_web.md#who-may), `c`, ![demo](images/demo.webp).'
    assert links.rewritten(f'{text}{code}[web](../src/gremsy_web)', 'figures.md') == (
        f'{seen}{code}[web](packages/gremsy_web.md)'
    )
    elsewhere = '[the web](https://example.org), [below](#below)'
    assert links.rewritten(elsewhere, 'figures.md') == elsewhere
    film = '[![film](docs/images/demo.webp)](docs/figures.md)'
    assert links.rewritten(film, 'index.md') == '[![film](images/demo.webp)](figures.md)'
    assert warned == []
    assert links.rewritten('[gone](../gone.md#x)', 'extend/here.md') == 'gone'
    assert warned == ['docs/extend/here.md links to ../gone.md#x, and there is no docs/gone.md.']
