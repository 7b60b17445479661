# SPDX-License-Identifier: Apache-2.0
"""How far a download is, on a terminal and elsewhere."""

import io

from gremsy_model_tools.fetch.download_progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_changes_and_is_closed():
    stream = Terminal()
    progress = Progress(stream)
    for got in (0, 1, 500_000, 500_001, 1_000_000):
        progress.show(got, 1_000_000)
    progress.end()
    assert stream.getvalue() == '\r0.0 of 1.0 MB\x1b[K\r0.5 of 1.0 MB\x1b[K\r1.0 of 1.0 MB\x1b[K\n'


def test_what_is_broken_off_on_a_terminal_leaves_the_next_sentence_its_own_line():
    stream = Terminal()
    progress = Progress(stream)
    progress.show(2_000_000, None)
    progress.end()
    progress.end()
    assert stream.getvalue() == '\r2.0 MB\x1b[K\n'


def test_in_a_log_every_tenth_is_a_line():
    stream = io.StringIO()
    progress = Progress(stream)
    for got in range(0, 3_000_001, 10_000):
        progress.show(got, 3_000_000)
    progress.end()
    lines = stream.getvalue().splitlines()
    assert (len(lines), lines[1], lines[-1]) == (11, '0.3 of 3.0 MB', '3.0 of 3.0 MB')


def test_in_a_log_without_a_stated_size_every_ten_megabytes_are_a_line():
    stream = io.StringIO()
    progress = Progress(stream)
    for got in range(0, 25_000_001, 250_000):
        progress.show(got, None)
    assert stream.getvalue().splitlines() == ['0.2 MB', '10.0 MB', '20.0 MB']
