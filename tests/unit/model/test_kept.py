"""What is kept of a template is its own, also after many others."""

from clusteraudit.model.kept import MOST, per_template
from clusteraudit.model.rows import PodTemplate


def test_each_template_is_asked_once_and_answers_for_itself() -> None:
    asked = []

    @per_template
    def priority(template: PodTemplate) -> int:
        asked.append(template.priority)
        return template.priority

    templates = [PodTemplate(priority=number) for number in range(5)]
    assert [priority(one) for one in templates * 2] == [0, 1, 2, 3, 4] * 2
    assert asked == [0, 1, 2, 3, 4]


def test_of_many_that_are_gone_none_answers_for_another() -> None:
    @per_template
    def priority(template: PodTemplate) -> int:
        return template.priority

    numbers = range(2 * MOST + 10)
    assert [priority(PodTemplate(priority=number)) for number in numbers] == list(numbers)
