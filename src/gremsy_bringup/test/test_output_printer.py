# SPDX-License-Identifier: Apache-2.0
from gremsy_bringup.logs.log_record import LogRecord
from gremsy_bringup.supervise.output_printer import OutputPrinter
from gremsy_bringup.supervise.supervisor import EventKind, ProcessEvent

SENTENCE = '/robot/eo/camera: No file `x`: give one.'


class Shown:
    """A printer, what it showed, and its clock."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now_s = 0.0
        self.printer = OutputPrinter(lambda record: self.lines.extend(record.lines()), lambda: self.now_s)

    def line(self, process: str, text: str) -> None:
        self.printer.record(LogRecord(process, 'INFO', text))


def test_the_sentence_of_a_wrong_configuration_is_left_to_the_end() -> None:
    shown = Shown()
    shown.line('loop', SENTENCE)
    shown.printer.record(LogRecord('loop', 'INFO', 'Closed.', 'robot.eo.tracker', 1_000_000_000))
    shown.printer.event(ProcessEvent('loop', EventKind.CONFIGURATION_ERROR, SENTENCE))
    shown.printer.close()
    assert shown.lines == ['[loop] [INFO] [1.000000000] [robot.eo.tracker]: Closed.']


def test_one_that_refuses_says_it_once() -> None:
    shown = Shown()
    shown.line('loop', SENTENCE)
    refused = f'loop cannot run now and is tried again in 1.0 s, the others go on: {SENTENCE}'
    shown.printer.event(ProcessEvent('loop', EventKind.REFUSED, refused))
    assert shown.lines == [f'[gremsy] {refused}']


def test_any_other_line_is_shown_at_the_next_or_after_two_seconds() -> None:
    shown = Shown()
    shown.line('rviz', 'one')
    shown.line('loop', 'first')
    shown.line('loop', 'second')
    assert shown.lines == ['[loop] first']
    shown.now_s = 2.1
    shown.printer.show_overdue()
    assert sorted(shown.lines) == ['[loop] first', '[loop] second', '[rviz] one']
    shown.line('loop', 'last')
    shown.printer.event(ProcessEvent('loop', EventKind.EXITED, 'loop ended with status 1.'))
    shown.line('rviz', 'rest')
    shown.printer.close()
    assert shown.lines[3:] == ['[loop] last', '[gremsy] loop ended with status 1.', '[rviz] rest']
