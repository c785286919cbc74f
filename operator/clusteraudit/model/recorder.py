"""Who read what: so that a change asks again exactly those whose answer it can change.

An opener is whoever reads: a subject with its rules, a cluster rule, or a derived value, which is
itself a cell that others open. A derived value that a change leaves equal asks nobody. One that
can be mended is told which cells changed, and makes only what hangs on those anew.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, TypeGuard, TypeVar, cast

from clusteraudit.model.slack import tighten
from clusteraudit.model.store import Cell, whole_of

T = TypeVar("T")
Opener = Hashable

VALUE = "value"
_KEPT = 512
"""Readings that are kept at a time: a large cluster has thousands of workloads."""
_LOOKED_THROUGH = 16
"""Cells of an opener that are looked through for one: nearly all have opened fewer."""
Make = Callable[[], object]
Mend = Callable[[object, frozenset[Cell]], object]
"""A value from what it was and the cells that changed of those that were read for it."""


class Maker(NamedTuple):
    """How a derived value is made, and how it is mended where it can be."""

    make: Make
    mend: Mend | None = None


class Openers(set[Opener]):
    """Of one cell, which they hold as one object: each of them makes its own to read it."""

    __slots__ = ("cell",)

    def __init__(self, cell: Cell, openers: Iterable[Opener]) -> None:
        super().__init__(openers)
        self.cell = cell


class Recorder:
    """Openers by cell and cells by opener, and the derived values."""

    def __init__(self) -> None:
        self.openers: dict[Cell, Opener | Openers] = {}
        """Mostly it is one opener, for which a set would take far more room than it does."""
        self.opened: dict[Opener, tuple[Cell, ...]] = {}
        self.values: dict[Cell, object] = {}
        self._makers: dict[Cell, Maker] = {}
        self._parts: dict[Cell, tuple[Cell, ...]] = {}
        """Values that a value was made of."""
        self._stale: dict[Cell, set[Cell]] = {}
        """Values to be made anew, and why; none but while cells change."""
        self._sure: set[Cell] = set()
        """Values that are what they should be, by now."""
        self._dirty: set[Opener] = set()
        self._orphans: set[Cell] = set()
        self._current: list[tuple[Opener, set[Cell]]] = []
        """Who reads, the last for the one before, and what each has read."""
        self._once: dict[Hashable, tuple[object, tuple[Cell, ...]]] = {}

    def begin(self, opener: Opener) -> None:
        """From here on `opener` reads; what it had opened before is forgotten."""
        self.forget(opener)
        self._current.append((opener, set()))

    def end(self) -> None:
        """The last opener is done."""
        opener, cells = self._current.pop()
        if cells:
            self.opened[opener] = tuple(cells)

    @property
    def current(self) -> Opener | None:
        """Who reads now; None for a reader that is never asked again."""
        return self._current[-1][0] if self._current else None

    def note(self, cell: Cell) -> None:
        """The current opener read `cell`."""
        if self._current:
            opener, cells = self._current[-1]
            if cell not in cells:
                cells.add(self._open(cell, opener))

    def _open(self, cell: Cell, opener: Opener) -> Cell:
        """Note that it is open; the cell as others hold it."""
        held = self.openers.setdefault(cell, opener)
        if isinstance(held, Openers):
            held.add(opener)
            return held.cell
        if held != opener:
            first = self.opened.get(held, ())
            if len(first) <= _LOOKED_THROUGH:
                cell = next((one for one in first if one == cell), cell)
            self.openers[cell] = Openers(cell, (held, opener))
        return cell

    def _close(self, cell: Cell, opener: Opener) -> None:
        held = self.openers[cell]
        if not isinstance(held, Openers):
            del self.openers[cell]
            if cell in self.values:
                self._orphans.add(cell)
            return
        held.remove(opener)
        if len(held) == 1:
            self.openers[cell] = held.pop()

    def _openers_of(self, cell: Cell) -> Iterable[Opener]:
        held = self.openers.get(cell, ())
        return held if isinstance(held, Openers) or held == () else (held,)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` reads, read once for all who ask until something changes; each has read it.

        `make` reads no clock.
        """
        if not self._current:
            return make()
        if key not in self._once:
            if len(self._once) >= _KEPT:
                self._once.clear()
            self._once[key] = self._apart(make)
        value, cells = self._once[key]
        for cell in cells:
            self.note(cell)
        if isinstance(value, Exception):
            raise value
        return cast("T", value)

    def _apart(self, make: Make) -> tuple[object, tuple[Cell, ...]]:
        """What `make` gives or raises, and the cells that it read, which nobody has opened yet."""
        reader = ("once", len(self._current))
        try:
            value = self._read(reader, make)
            return value, tuple(self.opened.get(reader, ()))
        finally:
            self.forget(reader)

    def forget(self, opener: Opener) -> None:
        """Drop all that `opener` had read."""
        for cell in self.opened.pop(opener, ()):
            self._close(cell, opener)

    def value(self, cell: Cell, make: Make, mend: Mend | None = None) -> object:
        """The derived value of `cell`, made at its first reading; raises what `make` raised."""
        self.note(cell)
        self._settle(cell)
        if cell not in self.values:
            self._makers[cell] = Maker(make, mend)
            self.values[cell] = self._evaluate(cell)
        value = self.values[cell]
        if isinstance(value, Exception):
            raise value
        return value

    def dirty(self, touched: Iterable[Cell]) -> set[Opener]:
        """Whom to ask again after these cells changed; derived values are brought up to date."""
        self._once.clear()
        self._dirty = set()
        for cell in touched:
            self._spread(cell, cell)
            whole = whole_of(cell)
            if whole:
                self._spread(whole, cell)
        while unsure := self._stale.keys() - self._sure:
            for cell in unsure:
                self._settle(cell)
        self._stale, self._sure = {}, set()
        return self._dirty

    def sweep(self) -> None:
        """Drop derived values that nobody reads any more."""
        while self._orphans:
            cell = self._orphans.pop()
            if cell in self.values and cell not in self.openers:
                for held in (self.values, self._makers, self._parts):
                    held.pop(cell, None)
                self.forget(cell)

    def tighten(self) -> None:
        """Give back the room of what went, where it is much."""
        held = (self.openers, self.opened, self.values, self._makers, self._parts)
        for one in held:
            tighten(one)

    def _spread(self, cell: Cell, cause: Cell) -> None:
        for opener in self._openers_of(cell):
            if is_value(opener):
                self._stale.setdefault(opener, set()).add(cause)
            else:
                self._dirty.add(opener)

    def _settle(self, cell: Cell) -> None:
        """Make a value anew, if what it was made of did change: what that is comes first."""
        if not self._stale or cell in self._sure:
            return
        self._sure.add(cell)
        for part in self._parts.get(cell, ()):
            self._settle(part)
        if cell in self._stale and cell in self.values:
            self._remake(cell)

    def _remake(self, cell: Cell) -> None:
        old, mend = self.values[cell], self._makers[cell].mend
        if mend is None or isinstance(old, Exception):
            new = self._evaluate(cell)
        else:
            causes = frozenset(self._stale[cell])
            new = self._read(cell, lambda: mend(old, causes))
        self.values[cell] = new
        if new is not old and _differ(old, new):
            self._spread(cell, cell)

    def _evaluate(self, cell: Cell) -> object:
        self.forget(cell)
        return self._read(cell, self._makers[cell].make)

    def _read(self, cell: Cell, make: Make) -> object:
        """What `make` gives, with what it reads noted beside what had been read before."""
        self._current.append((cell, set(self.opened.get(cell, ()))))
        try:
            return make()
        except Exception as error:  # kept as the value: whoever reads it fails, nobody else
            return error
        finally:
            self.end()
            if is_value(cell):
                self._parts[cell] = tuple(filter(is_value, self.opened.get(cell, ())))


def is_value(opener: Opener) -> TypeGuard[Cell]:
    """Whether it is the cell of a derived value."""
    return isinstance(opener, tuple) and opener[0] == VALUE


def _differ(old: object, new: object) -> bool:
    if isinstance(old, Exception) and isinstance(new, Exception):
        return repr(old) != repr(new)
    return old != new
