# SPDX-License-Identifier: Apache-2.0
"""One line that changes on a terminal, and lines now and then in a log."""

import threading

import pytest

from gremsy_common.status_line import StatusLine


class Terminal:
    """Collects what is written to a terminal, or to a file."""

    def __init__(self, is_terminal: bool) -> None:
        self.text = ''
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        return


def test_on_a_terminal_the_status_stays_below_what_is_said() -> None:
    out = Terminal(True)
    line = StatusLine(out)
    line.show('one')
    line.say('something')
    line.show('two')
    line.end()
    assert out.text == '\r\x1b[Kone\r\x1b[Ksomething\none\r\x1b[Ktwo\n'


def test_elsewhere_the_status_is_a_line_every_five_seconds() -> None:
    now_s = [100.0]
    out = Terminal(False)
    line = StatusLine(out, lambda: now_s[0])
    for seconds in (100.0, 104.9, 105.0):
        now_s[0] = seconds
        line.show(f'at {seconds}')
    line.end()
    assert out.text == 'at 100.0\nat 105.0\n'


def spoken(out: Terminal, enough: str) -> str:
    """What is written until that comes."""
    begin, said = threading.Event(), threading.Event()

    def write(text: str) -> None:
        out.text += text
        if begin.is_set() and enough in text:
            said.set()

    out.write = write
    line = StatusLine(out, tick_s=0.001)
    with line.working('Building') as note:
        note('step 3')
        begin.set()
        assert said.wait(20.0)
    return out.text


def test_work_on_a_terminal_ticks_in_one_line_and_leaves_it_empty() -> None:
    text = spoken(Terminal(True), 'Building step 3  0 s')
    # The clock may tick before the first word of what is being done.
    assert set(text.split('\r\x1b[K')) - {'Building  0 s'} == {'', 'Building step 3  0 s'}
    assert text.startswith('\r\x1b[KBuilding') and text.endswith('\r\x1b[K')
    assert '\n' not in text


def test_work_in_a_log_is_said_again_and_again_in_whole_lines() -> None:
    text = spoken(Terminal(False), 'Building step 3 (0 s so far)')
    assert set(text.splitlines()) <= {'Building (0 s so far)', 'Building step 3 (0 s so far)'}
    assert text.endswith('\n')


def test_a_terminal_that_others_write_to_gets_whole_lines() -> None:
    out = Terminal(True)
    line = StatusLine(out, in_place=False)
    line.show('one')
    line.say('something')
    line.end()
    assert out.text == 'one\nsomething\n'


def test_work_that_fails_stops_the_clock_and_goes_on_failing() -> None:
    out, before = Terminal(True), threading.active_count()

    def fail() -> None:
        with StatusLine(out).working('Building') as note:
            note('')
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert threading.active_count() == before
    assert out.text == '\r\x1b[KBuilding  0 s\r\x1b[K'


def test_a_clock_whose_reader_has_gone_ends_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[object] = []
    monkeypatch.setattr(threading, 'excepthook', failures.append)

    class Gone(Terminal):
        def write(self, text: str) -> None:
            raise BrokenPipeError

    with StatusLine(Gone(False), tick_s=0.01).working('Waiting'):  # type: ignore[arg-type]
        ticking = next(each for each in threading.enumerate() if each.name == 'status line')
        ticking.join(20.0)
        assert not ticking.is_alive()
    assert failures == []
