"""What is kept of a template is its own, also after many others, and goes with it."""

from weakref import ref

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


def test_what_is_kept_goes_with_the_template() -> None:
    @per_template
    def numbers(template: PodTemplate) -> Found:
        return Found(template.priority)

    template = PodTemplate(priority=7)
    kept = ref(numbers(template))
    assert kept() is numbers(template)
    del template
    assert kept() is None


def test_what_is_asked_for_again_is_kept_while_others_come() -> None:
    asked = list[int]()

    @per_template
    def priority(template: PodTemplate) -> int:
        asked.append(template.priority)
        return template.priority

    hot = PodTemplate(priority=-1)
    others = [PodTemplate(priority=number) for number in range(2 * MOST)]
    for other in others:
        assert priority(hot) == -1
        priority(other)
    assert asked.count(-1) == 1


class Found:
    """What is found, which can be told apart from another."""

    def __init__(self, number: int) -> None:
        self.number = number
