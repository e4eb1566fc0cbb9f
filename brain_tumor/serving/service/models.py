"""The models of a server, by name: each answers on its own, and each can be replaced while requests run."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from brain_tumor.errors import BrainTumorError
from brain_tumor.serving.service.served import Served

log = logging.getLogger(__name__)


class UnknownModelError(BrainTumorError):
    """A request names a model that is not served."""


class _Model:
    """A served model and the number of requests that use it; it is closed when it is retired and the last has ended."""

    def __init__(self, served: Served) -> None:
        self.served, self.users, self.is_retired = served, 0, False

    def close_if_unused(self) -> None:
        if self.is_retired and not self.users:
            self.served.close()


class Models:
    """The models of a server.

    Args:
        places: Name → run directory or bundle; the first one answers requests that name none.
        load: Function that loads a model.

    Raises:
        BrainTumorError: A model cannot be loaded.
    """

    def __init__(self, places: Mapping[str, str], load: Callable[[str], Served]) -> None:
        self._places, self._load = dict(places), load
        self._models = {name: _Model(load(place)) for name, place in self._places.items()}

    @property
    def names(self) -> list[str]:
        """Names of the models, the default one first."""
        return list(self._models)

    @property
    def died(self) -> bool:
        """Whether a model cannot answer any more."""
        return any(model.served.died for model in self._models.values())

    @property
    def requests(self) -> int:
        """Number of requests that are worked on or wait."""
        return sum(model.served.requests for model in self._models.values())

    @contextmanager
    def use(self, name: str | None = None) -> Iterator[Served]:
        """Use a model for one request: until its end it is not closed.

        Args:
            name: Name of the model; None: the default one.

        Raises:
            UnknownModelError: There is none of this name.
        """
        try:
            model = self._models[self.names[0] if name is None else name]
        except KeyError:
            raise UnknownModelError(f"There is no model {name!r} here; models are {', '.join(self.names)}.") from None
        model.users += 1
        try:
            yield model.served
        finally:
            model.users -= 1
            model.close_if_unused()

    async def reload(self) -> None:
        """Load every model again from its place; requests go on with the old one, which stays where that fails."""
        for name, place in self._places.items():
            try:
                new = await asyncio.to_thread(self._load, place)
            except BrainTumorError as error:
                log.error("Model %s was not replaced: %s", name, error)  # a user's mistake
                continue
            old, self._models[name] = self._models[name], _Model(new)
            old.is_retired = True
            old.close_if_unused()
            log.info("Model %s is now version %s.", name, new.predictor.bundle.version)

    def close(self) -> None:
        """Answer what was accepted, and end."""
        for model in self._models.values():
            model.served.close()
